"""The client against a real aiosmtpd, our own door, and servers that refuse, cut or fall silent at chosen moments."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import given
from hypothesis import strategies as st

from oct.errors import FormatError
from oct.smtp.client import Connection, Outgoing, Route, Sent, TlsPolicy, check_sendable
from oct.smtp.data_reader import DataReader
from oct.smtp.dialogue import to_data
from oct.smtp.memory import Memory
from oct.smtp.tls import verifying_context
from tests.adapters.smtp.doors import OURS, Opener, server_tls
from tests.adapters.smtp.insurers import CUT, PIPELINING_EHLO, PLAIN_EHLO, SILENT, TLS_EHLO, Insurer, serving
from tests.journeys.waiting import until

CONTENT = b"Subject: SV\r\n\r\n.point\r\n..deux\r\nfin\r\n"
DATA_STAGES = ("MAIL", "RCPT", "DATA")


def outgoing(key: int = 1, content: bytes = CONTENT) -> Outgoing:
    return Outgoing(key, "oct@oct.test", OURS, content)


class Lasting:
    """A connection and its event loop, for who waits for each answer."""

    def __init__(self, connection: Connection, runner: asyncio.Runner) -> None:
        self._connection = connection
        self._runner = runner

    def send(self, message: Outgoing) -> Sent:
        return self._runner.run(self._connection.send(message))

    def listen(self) -> None:
        """Returns when something was said that nobody asked for."""
        dialogue = self._connection._dialogue
        assert dialogue is not None
        until("something is said", lambda: self._runner.run(asyncio.sleep(0.001, dialogue._replies)) != [])

    @property
    def features(self) -> frozenset[str]:
        """What the server names that it is connected to."""
        assert self._connection._dialogue is not None
        return self._connection._dialogue.extensions


@contextmanager
def connection(
    port: int, policy: TlsPolicy = TlsPolicy.OPPORTUNISTIC, *, tls: ssl.SSLContext | None = None, seconds: float = 5
) -> Iterator[Lasting]:
    made = Connection(
        Route("127.0.0.1", port, policy),
        helo="oct.test",
        tls=tls or verifying_context(),
        timeout_seconds=seconds,
    )
    with asyncio.Runner() as runner:
        yield Lasting(made, runner)
        runner.run(close(made))


async def close(made: Connection) -> None:
    made.close()
    await asyncio.sleep(0.01)  # the loop ends what is closed


def delivered(key: int = 1, *, tls: bool = False) -> Sent:
    return Sent(key, 250, "2.0.0 ok", tls, permanent=False, delivered=True)


class Keeping:
    """A handler for aiosmtpd as it comes: keeps what it is given."""

    def __init__(self) -> None:
        self.contents: list[bytes | None] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.contents.append(envelope.original_content)
        return "250 2.0.0 ok"


@pytest.fixture
def stock() -> Iterator[tuple[int, Keeping]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    handler = Keeping()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield port, handler
    controller.stop()


def test_a_real_aiosmtpd_receives_the_same_bytes(stock: tuple[int, Keeping]) -> None:
    port, handler = stock
    with connection(port) as lasting:
        assert [lasting.send(outgoing(key)).delivered for key in range(3)] == [True] * 3
    assert handler.contents == [CONTENT] * 3


def test_our_own_door_receives_the_same_bytes_by_pipelining_and_tls(
    opens: Opener, tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    opened = opens(tls=tls)
    with connection(opened.port, TlsPolicy.REQUIRED, tls=trusting) as lasting:
        first, second = lasting.send(outgoing(1)), lasting.send(outgoing(2))
    assert (first.delivered, first.tls, second.reply_text) == (True, True, "2.0.0 Message recu, trace 00002")
    assert [(got.content, got.tls, got.helo) for got in opened.house.received] == [(CONTENT, True, "oct.test")] * 2


@given(
    st.lists(st.binary(max_size=40).map(lambda raw: raw.translate(None, b"\r\n\0")), min_size=1, max_size=8),
)
def test_what_is_sent_is_stuffed_so_that_it_arrives_as_it_was(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    reader = DataReader(size_limit=10_000, line_octets=998, memory=Memory(10_000))
    assert reader.feed(b"".join(to_data(content))) == b""
    assert reader.take() == content


@pytest.mark.parametrize("ehlo", [PIPELINING_EHLO, b"250 autre.test\r\n"])
def test_one_connection_serves_many_messages(ehlo: bytes) -> None:
    with serving(Insurer(ehlo=ehlo)) as insurer, connection(insurer.port) as lasting:
        assert [lasting.send(outgoing(key)) for key in range(3)] == [delivered(key) for key in range(3)]
    assert insurer.connections == 1
    assert insurer.commands.count("EHLO oct.test") == 1
    assert insurer.commands[-1] == "QUIT"
    assert insurer.wires == [CONTENT.replace(b"\r\n.", b"\r\n..") + b".\r\n"] * 3


def test_nothing_is_opened_before_there_is_something_to_send() -> None:
    with serving(Insurer()) as insurer:
        with connection(insurer.port):
            pass
        assert insurer.connections == 0


@pytest.mark.parametrize("ehlo", [PIPELINING_EHLO, b"250 autre.test\r\n"])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "BODY"])
@pytest.mark.parametrize(("code", "permanent"), [(450, False), (550, True)])
def test_a_refusal_at_any_stage_is_told_and_the_next_message_goes_on(
    ehlo: bytes, verb: str, code: int, permanent: bool
) -> None:
    """P4: 5xx is final, 4xx (a grey list) is not."""
    refusal = b"%d-5.7.1 non\r\n%d 5.7.1 merci \xe9\r\n" % (code, code)
    stages = {verb: [refusal]}
    if ehlo == PIPELINING_EHLO and verb in ("MAIL", "RCPT"):
        stages["DATA"] = [b"503 5.5.1 rien\r\n"]
        stages["RCPT"] = [refusal] if verb == "RCPT" else [b"503 5.5.1 rien\r\n"]
    with serving(Insurer(stages, ehlo)) as insurer, connection(insurer.port) as lasting:
        refused, second = lasting.send(outgoing(1)), lasting.send(outgoing(2))
    assert refused == Sent(1, code, "5.7.1 non 5.7.1 merci ?", False, permanent=permanent, delivered=False)
    assert second == delivered(2)
    assert insurer.connections == 1


def test_a_server_that_wants_the_content_of_a_refused_message_does_not_get_it() -> None:
    """RFC 2920: with pipelining, 354 may come though nobody is there to receive."""
    with serving(Insurer({"RCPT": [b"550 5.1.1 inconnu\r\n"]}, PIPELINING_EHLO)) as insurer:
        with connection(insurer.port) as lasting:
            refused, second = lasting.send(outgoing(1)), lasting.send(outgoing(2))
        assert (refused.reply_code, second) == (550, delivered(2))
        assert len(insurer.wires) == 1
        assert insurer.connections == 2


@pytest.mark.parametrize("verb", DATA_STAGES)
@pytest.mark.parametrize("end", [CUT, b"421 4.3.2 arret\r\n"])
def test_a_lasting_connection_found_dead_before_the_content_is_opened_again_once(verb: str, end: bytes) -> None:
    fine = {"MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 ok\r\n"}[verb]
    with serving(Insurer({verb: [fine, end]})) as insurer, connection(insurer.port) as lasting:
        assert [lasting.send(outgoing(1)), lasting.send(outgoing(2))] == [delivered(1), delivered(2)]
    assert insurer.connections == 2
    assert len(insurer.wires) == 2


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", *DATA_STAGES])
@pytest.mark.parametrize(
    ("end", "code", "text"), [(CUT, 0, "connexion coupee"), (b"421 4.3.2 arret\r\n", 421, "4.3.2 arret")]
)
def test_a_new_connection_that_fails_is_a_temporary_failure(verb: str, end: bytes, code: int, text: str) -> None:
    with serving(Insurer({verb: [end]})) as insurer, connection(insurer.port) as lasting:
        assert lasting.send(outgoing()) == Sent(1, code, text, False, permanent=False, delivered=False)
        assert lasting.send(outgoing(2)) == delivered(2)
        assert insurer.connections == 2


@pytest.mark.parametrize(("end", "text"), [(CUT, "connexion coupee"), (SILENT, "delai depasse")])
def test_a_cut_between_the_final_dot_and_its_reply_is_said_and_not_repeated(end: bytes, text: str) -> None:
    """P2: the peer may have stored the message."""
    with serving(Insurer({"BODY": [b"250 2.0.0 ok\r\n", end]})) as insurer:
        with connection(insurer.port, seconds=0.3) as lasting:
            assert lasting.send(outgoing(1)) == delivered(1)
            silent = end == SILENT
            assert lasting.send(outgoing(2)) == Sent(
                2,
                0,
                f"{text}, message peut-etre recu",
                False,
                permanent=False,
                delivered=False,
                silent=silent,
                stalled=silent,
            )
        assert len(insurer.wires) == 2


@pytest.mark.parametrize("more", [b"250 encore\r\n", b"421 4.3.2 arret\r\n", b"550 non\r\n", b"\xff\xfe\r\n"])
def test_a_delivery_counts_whatever_is_said_after_it(more: bytes) -> None:
    """P2: the peer has the message; sent again, it would have it twice."""
    with serving(Insurer({"BODY": [b"250 2.0.0 ok\r\n" + more]})) as insurer, connection(insurer.port) as lasting:
        assert [lasting.send(outgoing(1)), lasting.send(outgoing(2))] == [delivered(1), delivered(2)]
    assert insurer.connections == 2


@pytest.mark.parametrize("unasked", [b"250 encore\r\n", b"421 4.3.2 arret\r\n", b"550 non\r\n"])
def test_what_is_said_between_two_messages_answers_neither(unasked: bytes) -> None:
    with serving(Insurer()) as insurer, connection(insurer.port) as lasting:
        first = lasting.send(outgoing(1))
        insurer.say(unasked)
        lasting.listen()
        assert [first, lasting.send(outgoing(2))] == [delivered(1), delivered(2)]
    assert insurer.connections == 2


def test_a_server_that_takes_what_it_does_not_have_yet_is_not_believed() -> None:
    """P2: it may refuse it once it has it. The content is more than what is on its way in between."""
    content = (b"x" * 998 + b"\r\n") * 16_000
    with serving(Insurer(early=b"250 2.0.0 ok\r\n")) as insurer, connection(insurer.port) as lasting:
        sent = lasting.send(outgoing(1, content))
    assert (sent.reply_code, sent.reply_text, sent.delivered) == (0, "connexion coupee", False)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_large_content_arrives_as_it_was_and_waits_in_pieces(tls: ssl.SSLContext, encrypted: bool) -> None:
    """However large, little of it is in memory twice, and nobody else on the loop waits while it is prepared."""
    content = (b"x" * 60 + b"\r\n" + b"." * 60 + b"\r\n") * 20_000
    largest = max(map(len, to_data(content)))
    insurer = Insurer(ehlo=TLS_EHLO if encrypted else PLAIN_EHLO, tls=tls)
    with serving(insurer), connection(insurer.port) as lasting:
        assert lasting.send(outgoing(1, content)) == delivered(tls=encrypted)
    assert insurer.wires == [content.replace(b"\r\n.", b"\r\n..") + b".\r\n"]
    assert largest < len(content) // 10


def test_a_421_after_the_content_is_temporary_and_certain() -> None:
    with serving(Insurer({"BODY": [b"421 4.3.2 plus tard\r\n"]})) as insurer, connection(insurer.port) as lasting:
        first = lasting.send(outgoing(1))
        assert first == Sent(1, 421, "4.3.2 plus tard", False, permanent=False, delivered=False)
        assert lasting.send(outgoing(2)) == delivered(2)
    assert insurer.connections == 2


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", *DATA_STAGES])
def test_a_server_that_falls_silent_holds_nobody(verb: str) -> None:
    """P4."""
    with serving(Insurer({verb: [SILENT]})) as insurer, connection(insurer.port, seconds=0.3) as lasting:
        assert lasting.send(outgoing()) == Sent(
            1, 0, "delai depasse", False, permanent=False, delivered=False, silent=True, stalled=verb in DATA_STAGES
        )


@pytest.mark.parametrize(
    "nonsense", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220", b"220-x\r\n" * 5000, b"x" * 50_000, b"\xff\xfe\r\n"]
)
def test_a_server_that_does_not_speak_smtp_is_a_temporary_failure(nonsense: bytes) -> None:
    with serving(Insurer({"CONNECT": [nonsense]})) as insurer, connection(insurer.port, seconds=0.5) as lasting:
        sent = lasting.send(outgoing())
    assert (sent.reply_code, sent.delivered, sent.permanent) == (0, False, False)


@pytest.mark.parametrize(
    "answers",
    [
        {"CONNECT": [b"554 5.7.1 liste noire\r\n"]},
        {"EHLO": [b"502 inconnu\r\n"], "HELO": [b"554 5.7.1 liste noire\r\n"]},
    ],
)
def test_a_refusal_to_greet_is_told_as_it_is(answers: dict[str, list[bytes]]) -> None:
    """And is not final: it is not the message that was refused."""
    with serving(Insurer(answers)) as insurer, connection(insurer.port) as lasting:
        assert lasting.send(outgoing()) == Sent(1, 554, "5.7.1 liste noire", False, permanent=False, delivered=False)


def test_a_server_that_only_knows_helo_is_served() -> None:
    with serving(Insurer({"EHLO": [b"502 quoi ?\r\n"]})) as insurer, connection(insurer.port) as lasting:
        assert lasting.send(outgoing()) == delivered()
    assert "HELO oct.test" in insurer.commands


def test_nobody_at_the_address_is_a_temporary_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with connection(port) as lasting:
        assert lasting.send(outgoing()) == Sent(
            1, 0, "connexion refusee", False, permanent=False, delivered=False, silent=True
        )


def test_the_words_of_a_peer_are_cut_and_cleaned() -> None:
    """H5."""
    words = b"550 " + b"\x1b[31m\xe9" + b"x" * 500 + b"\r\n"
    with serving(Insurer({"MAIL": [words]})) as insurer, connection(insurer.port) as lasting:
        sent = lasting.send(outgoing())
    assert sent.reply_text == "?[31m?" + "x" * 194


def test_required_tls_is_verified_or_nothing_leaves(opens: Opener, tls: ssl.SSLContext) -> None:
    """H9: a stranger's certificate, or no STARTTLS at all, is temporary: a downgrade must not lose the message."""
    opened = opens(tls=tls)
    with connection(opened.port, TlsPolicy.REQUIRED) as lasting:
        assert lasting.send(outgoing()) == Sent(1, 0, "TLS impossible", False, permanent=False, delivered=False)
    with serving(Insurer()) as insurer, connection(insurer.port, TlsPolicy.REQUIRED) as lasting:
        assert lasting.send(outgoing()) == Sent(1, 0, "TLS impossible", False, permanent=False, delivered=False)
    assert opened.house.received == []
    assert insurer.wires == []


@pytest.mark.parametrize("answer", [b"250 ok\r\n", b"354 ok\r\n", b"454 non\r\n"])
def test_required_tls_that_does_not_begin_is_not_taken_for_tls(answer: bytes) -> None:
    """H9: whatever is said instead of 220, nothing leaves in clear."""
    with serving(Insurer({"STARTTLS": [answer]}, ehlo=TLS_EHLO)) as insurer:
        with connection(insurer.port, TlsPolicy.REQUIRED) as lasting:
            assert lasting.send(outgoing()) == Sent(1, 0, "TLS impossible", False, permanent=False, delivered=False)
        assert insurer.wires == []


def test_required_tls_wants_the_name_of_the_server_in_its_certificate(
    opens: Opener, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """H9."""
    opened = opens(tls=server_tls(authority, "autre.test"))
    with connection(opened.port, TlsPolicy.REQUIRED, tls=trusting) as lasting:
        assert lasting.send(outgoing()).reply_text == "TLS impossible"


def test_opportunistic_tls_takes_any_certificate(opens: Opener, tls: ssl.SSLContext) -> None:
    """RFC 7435."""
    opened = opens(tls=tls)
    with connection(opened.port) as lasting:
        assert lasting.send(outgoing()).tls
    assert opened.house.received[0].tls


@pytest.mark.parametrize("answer", [b"454 4.7.0 pas maintenant\r\n", b"220 allez\r\n", CUT])
def test_opportunistic_tls_that_fails_goes_in_clear(answer: bytes) -> None:
    """RFC 7435."""
    insurer = Insurer({"STARTTLS": [answer]}, ehlo=TLS_EHLO)
    with serving(insurer), connection(insurer.port) as lasting:
        assert lasting.send(outgoing()) == delivered()
    assert insurer.connections == 2


def test_what_is_said_in_clear_after_starttls_counts_for_nothing(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    """RFC 3207 section 4.2: the beginning of a reply that is put in before TLS does not become a feature after it."""
    ahead = b"220 allez\r\n250-faux.test\r\n250-PIPELINING\r\n"
    insurer = Insurer({"STARTTLS": [ahead]}, ehlo=TLS_EHLO, tls=tls)
    with serving(insurer), connection(insurer.port, TlsPolicy.REQUIRED, tls=trusting) as lasting:
        assert lasting.send(outgoing()) == delivered(tls=True)
        assert lasting.features == {"starttls"}


def test_a_server_that_falls_silent_while_tls_begins_is_silent() -> None:
    """P4: what follows would fare no better."""
    insurer = Insurer({"TLS": [SILENT]}, ehlo=TLS_EHLO, tls=verifying_context())
    with serving(insurer), connection(insurer.port, TlsPolicy.REQUIRED, seconds=0.3) as lasting:
        assert lasting.send(outgoing()) == Sent(
            1, 0, "delai depasse", False, permanent=False, delivered=False, silent=True
        )


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL"])
def test_what_is_given_up_while_nobody_answers_does_not_leave_afterwards(stage: str) -> None:
    """P2: by then its lease may be another's. A connection that was there before is not opened anew either."""
    heard, dialogues = list[bytes](), list[asyncio.Task[None]]()
    silent, goes_on = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb = b"CONNECT"
        while verb:
            if verb == stage.encode() and (stage != "MAIL" or heard):
                silent.set()
                await goes_on.wait()
            writer.write({b"CONNECT": b"220 la\r\n", b"DATA": b"354 allez\r\n"}.get(verb, b"250 ok\r\n"))
            if verb == b"DATA":
                heard.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 ok\r\n")
            verb = b""
            with suppress(ConnectionError):
                verb = (await reader.readline())[:4]
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialogues.append(asyncio.create_task(answer(reader, writer)))

    async def attempt() -> Sent:
        server = await asyncio.start_server(converse, "127.0.0.1", 0)
        async with server:
            route = Route("127.0.0.1", server.sockets[0].getsockname()[1], TlsPolicy.NONE)
            lasting = Connection(route, helo="oct.test", tls=verifying_context(), timeout_seconds=5)
            if stage == "MAIL":
                assert (await lasting.send(outgoing())).delivered
            sending = asyncio.create_task(lasting.send(outgoing(2)))
            await silent.wait()
            lasting.give_up()
            goes_on.set()
            sent = await sending
            lasting.close()
            await asyncio.gather(*dialogues)
            return sent

    sent = asyncio.run(attempt())
    assert (sent.delivered, sent.reply_text) == (False, "connexion coupee")
    assert len(heard) == (stage == "MAIL")


def test_no_tls_means_none(opens: Opener, tls: ssl.SSLContext) -> None:
    opened = opens(tls=tls)
    with connection(opened.port, TlsPolicy.NONE) as lasting:
        assert lasting.send(outgoing()).tls is False
    assert [got.tls for got in opened.house.received] == [False]


@pytest.mark.parametrize(
    "content", [b"a\nb\r\n", b"a\rb\r\n", b"\r\r\n", b"a\0\r\n", b"x" * 999 + b"\r\n", b"x" * 999, b"a\r\n\n"]
)
def test_a_content_that_smtp_cannot_carry_is_our_own_fault(content: bytes) -> None:
    """H1: what we send has none."""
    with pytest.raises(FormatError, match="message-"):
        check_sendable(outgoing(content=content))


@pytest.mark.parametrize("address", ["a@b.fr>\r\nDATA", "a b@c.fr", "é@b.fr", "<a@b.fr>", "a@b.fr" + "x" * 320])
def test_an_address_that_would_add_a_command_is_our_own_fault(address: str) -> None:
    """H5."""
    with pytest.raises(FormatError, match="adresse-incorrecte"):
        check_sendable(Outgoing(1, address, OURS, CONTENT))
    with pytest.raises(FormatError, match="adresse-incorrecte"):
        check_sendable(Outgoing(1, "", address, CONTENT))


def test_a_content_that_smtp_can_carry_passes() -> None:
    check_sendable(Outgoing(1, "", OURS, b"x" * 998 + b"\r\n"))
    check_sendable(Outgoing(1, "oct@oct.test", OURS, b""))
