"""A practitioner's software, mailboxes and insurers talk real SMTP to each other on the loopback."""

from __future__ import annotations

import signal
import smtplib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from oct.crypto.keystore import OwnKey
from oct.formats.arl import read_arl
from oct.formats.entities import Entities
from oct.formats.layouts import Layouts
from oct.simulators.answers import Answers
from oct.simulators.envelopes import Compression, EnvelopeError, Judge, seal, unseal, unwrap
from oct.simulators.insurer import Insurer
from oct.simulators.ledger import FILE_NAME, Ledger, read_ledger
from oct.simulators.mail import Shape
from oct.simulators.parties import Network, Sender
from oct.simulators.practitioner import Mailbox, PractitionerSoftware, Wrapping
from oct.simulators.programs import Answer, Sending, run_insurer, run_practitioner, stop_on_signals
from oct.simulators.sending import deliver
from tests.adapters.simulators.conftest import AGEN, BOURG, NOW, Draw

Clock = Callable[[], int]
WAIT = 20.0


@pytest.fixture(scope="session")
def entities() -> Entities:
    return Entities.from_toml(Path("config/noemie.toml").read_text(encoding="utf-8"))


@pytest.fixture
def insurer(keys: dict[str, OwnKey], layouts: Layouts, clock: Clock) -> Iterator[Insurer]:
    own = {address: keys[address] for address in (BOURG, AGEN)}
    with Insurer(own, layouts=layouts, clock=clock) as running:
        yield running


@pytest.fixture
def software(sender: Sender, insurer: Insurer, keys: dict[str, OwnKey], clock: Clock) -> PractitionerSoftware:
    """Software that sends directly to a caisse, as before there was a concentrator (S5)."""
    return PractitionerSoftware(
        sender,
        "pont@boite.example",
        concentrator=BOURG,
        certificate=keys[BOURG].certificate,
        door=insurer.address,
        clock=clock,
    )


@pytest.mark.parametrize("judge", list(Judge))
@pytest.mark.parametrize("shape", [Shape.MULTIPART, Shape.FLAT, Shape.EDI])
@pytest.mark.parametrize("compression", [Compression.NONE, Compression.GZIP, Compression.ZLIB])
def test_both_judges_open_every_shape_and_compression(
    draw: Draw, software: PractitionerSoftware, insurer: Insurer, shape: Shape, compression: Compression, judge: Judge
) -> None:
    """M2: what was sent is what is opened, lot by lot."""
    file = draw(1).caisse_file(software.sender, lots=2)
    assert software.submit(file, Wrapping(shape, compression)).code == 250
    opened = insurer.open(insurer.arrivals[0], judge)
    assert opened.file.data == file.data
    assert opened.file.faults == ()
    assert [lot.sha256 for lot in opened.file.lots] == [lot.sha256 for lot in file.lots]


@pytest.mark.parametrize("cipher", ["aes-192-cbc", "aes-128-gcm", "aes-256-gcm"])
def test_the_openssl_judge_opens_the_ciphers_that_the_library_does_not(keys: dict[str, OwnKey], cipher: str) -> None:
    """M3."""
    blob = seal(b"000\n\r\x00lot", keys[BOURG].certificate, cipher, Judge.OPENSSL)
    assert unseal(blob, keys[BOURG], Judge.OPENSSL) == b"000\n\r\x00lot"
    with pytest.raises(EnvelopeError):
        unseal(blob, keys[BOURG], Judge.CRYPTOGRAPHY)


@pytest.mark.parametrize("judge", list(Judge))
def test_a_message_for_another_does_not_open(keys: dict[str, OwnKey], judge: Judge) -> None:
    with pytest.raises(EnvelopeError):
        unseal(seal(b"000", keys[AGEN].certificate), keys[BOURG], judge)


def test_a_mime_entity_inside_the_envelope_is_taken_off(
    draw: Draw, software: PractitionerSoftware, insurer: Insurer
) -> None:
    """A4."""
    file = draw(1).single_file(software.sender)
    software.submit(file, Wrapping(mime_inside=True))
    assert insurer.open(insurer.arrivals[0]).file.data == file.data


def test_damaged_compression_is_told_as_such() -> None:
    with pytest.raises(EnvelopeError):
        unwrap(b"\x1f\x8bnothing")


def test_a_file_sent_again_has_another_compostage(draw: Draw, software: PractitionerSoftware, insurer: Insurer) -> None:
    """M5."""
    file = draw(1).single_file(software.sender, lots=2, invoices=2)
    software.submit(file)
    software.submit(file)
    first, second = (one.letter.subject for one in insurer.opened(BOURG))
    assert first == "SV140700/00000421234567/2026112008000000001/00004"
    assert second == "SV140700/00000421234567/2026112008000000002/00004"


def test_a_message_in_clear_holds_the_file_itself(draw: Draw, software: PractitionerSoftware) -> None:
    with Mailbox([BOURG]) as mailbox:
        file = draw(1).single_file(software.sender)
        deliver(mailbox.address, "pont@boite.example", BOURG, software.message(file, Wrapping(Shape.CLEAR)))
        assert (mailbox.letters[0].content, mailbox.letters[0].description) == (file.data, "FACTURE/SV")


def test_an_insurer_refuses_as_often_as_it_is_told(software: PractitionerSoftware, insurer: Insurer) -> None:
    insurer.temper.refuse(554, 1, address=AGEN)
    insurer.temper.refuse(450, 2, address=BOURG)
    assert [software.send(b"x\r\n").code for _ in range(3)] == [450, 450, 250]
    insurer.temper.refuse(421, 2, every=2)
    assert [software.send(b"x\r\n").code for _ in range(6)] == [250, 421, 250, 421, 250, 250]


def test_greylisting_counts_for_each_pair_of_sender_and_recipient(insurer: Insurer) -> None:
    insurer.temper.greylist(1)
    tries = [(BOURG, "a@b.example"), (AGEN, "a@b.example"), (BOURG, "c@b.example"), (BOURG, "a@b.example")]
    assert [deliver(insurer.address, who, to, b"x\r\n").code for to, who in tries] == [451, 451, 451, 250]


def test_a_connection_cut_after_storing_leaves_the_message_stored(
    software: PractitionerSoftware, insurer: Insurer
) -> None:
    """P2: the window in which an identical repeat is allowed."""
    insurer.temper.cut_after_storing(1)
    assert software.send(b"x\r\n").code == 0
    assert software.send(b"x\r\n").code == 250
    assert [arrival.raw for arrival in insurer.arrivals] == [b"x\r\n", b"x\r\n"]


def test_a_black_hole_swallows_one_mailbox_and_leaves_the_others(insurer: Insurer) -> None:
    """P4: the silent connection is still waiting when the other mailbox has answered."""
    insurer.temper.black_hole(3600, address=BOURG)
    with smtplib.SMTP(*insurer.address, timeout=0.2) as silent:
        silent.ehlo()
        silent.mail("a@b.example")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            silent.rcpt(BOURG)
    assert deliver(insurer.address, "a@b.example", AGEN, b"x\r\n").code == 250
    insurer.temper.behave()
    assert deliver(insurer.address, "a@b.example", BOURG, b"x\r\n").code == 250


def test_dots_and_pipelined_messages_arrive_as_they_were(insurer: Insurer) -> None:
    body = b".\r\n..\r\nline\r\n"
    with smtplib.SMTP(*insurer.address) as session:
        for _ in range(3):
            session.sendmail("a@b.example", [BOURG, AGEN], body)
    assert [arrival.raw for arrival in insurer.arrivals] == [body] * 6
    assert [arrival.rcpt_to for arrival in insurer.arrivals][:2] == [BOURG, AGEN]


def test_an_unknown_mailbox_and_a_wrong_order_are_refused(insurer: Insurer) -> None:
    assert deliver(insurer.address, "a@b.example", "nobody@nowhere.example", b"x\r\n").code == 550
    with smtplib.SMTP(*insurer.address) as session:
        assert session.docmd("RCPT", f"TO:<{BOURG}>")[0] == 503
        assert session.docmd("DATA")[0] == 503
        assert session.docmd("BDAT", "0")[0] == 500


def test_a_reply_is_given_when_nobody_listens() -> None:
    with Mailbox(["a@b.example"]) as mailbox:
        closed = mailbox.address
    assert deliver(closed, "a@b.example", "a@b.example", b"x\r\n").code == 0


def test_a_durable_ledger_is_read_by_another_and_survives_a_torn_end(tmp_path: Path) -> None:
    """P1: what was committed is there; a half-written entry is dropped and written over."""
    ledger = Ledger(tmp_path)
    ledger.append(NOW, "a@b.example", BOURG, b"one\n\r\n")
    ledger.commit()
    ledger.append(NOW, "a@b.example", BOURG, b"uncommitted")
    ledger.close()
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes()[:-3])
    assert [arrival.raw for arrival in read_ledger(tmp_path)] == [b"one\n\r\n"]
    again = Ledger(tmp_path)
    again.append(NOW, "a@b.example", AGEN, b"two")
    again.commit()
    assert [(arrival.number, arrival.raw) for arrival in again] == [(1, b"one\n\r\n"), (2, b"two")]
    assert read_ledger(tmp_path) == tuple(again)
    again.close()


def test_what_an_insurer_answered_250_is_on_disk(
    tmp_path: Path, keys: dict[str, OwnKey], layouts: Layouts, clock: Clock
) -> None:
    with Insurer({BOURG: keys[BOURG]}, layouts=layouts, clock=clock, directory=tmp_path) as running:
        assert deliver(running.address, "a@b.example", BOURG, b"x\r\n").code == 250
        assert [arrival.raw for arrival in read_ledger(tmp_path)] == [b"x\r\n"]


def test_lots_are_told_by_mailbox_in_order_of_arrival(
    draw: Draw, software: PractitionerSoftware, insurer: Insurer
) -> None:
    """L2."""
    files = [draw(seed).single_file(software.sender, lots=2) for seed in range(3)]
    for file in files:
        software.submit(file)
    assert insurer.lots() == {BOURG: [lot.sha256 for file in files for lot in file.lots]}


def test_a_caisse_acknowledges_and_settles_to_who_wrote(
    draw: Draw,
    software: PractitionerSoftware,
    insurer: Insurer,
    layouts: Layouts,
    entities: Entities,
    clock: Clock,
    network: Network,
) -> None:
    """R2, A2: by lot to the PS, by file to the sender, negative with its code, settled."""
    software.submit(draw(1).caisse_file(software.sender, network.caisses[0], lots=2, invoices=1))
    with Mailbox([software.address]) as mailbox:
        answers = Answers(mailbox.address, layouts=layouts, entities=entities, clock=clock)
        (opened,) = insurer.opened()
        assert answers.acknowledge(opened).accepted
        assert answers.acknowledge_lots(opened, opened.file.lots[1:], code="1070", label="LOT DEJA RECU").accepted
        assert answers.acknowledge_file(opened, code="0042").accepted
        assert answers.settle([opened]).accepted
        letters = mailbox.returns
    positive, negative, whole = (read_arl(letter.content, layouts) for letter in letters[:3])
    assert [(lot.lot_number, lot.positive) for lot in positive.lots] == [("001", True), ("002", True)]
    assert [(lot.lot_number, lot.code) for lot in negative.lots] == [("002", "1070")]
    assert whole.file is not None
    assert (whole.file.file_id, whole.file.code) == (opened.file.file_id, "0042")
    assert [letter.description for letter in letters] == ["ARL/SV", "ARL/SV", "ARL/SV", "RSP/SV"]
    assert {letter.message["In-Reply-To"] for letter in letters} == {opened.letter.message["Message-ID"]}
    assert opened.file.lots[0].invoices[0].number.encode() in letters[3].content


def test_a_return_is_sealed_when_the_concentrator_has_a_certificate(
    draw: Draw,
    software: PractitionerSoftware,
    insurer: Insurer,
    layouts: Layouts,
    entities: Entities,
    clock: Clock,
    keys: dict[str, OwnKey],
) -> None:
    software.submit(draw(1).caisse_file(software.sender))
    own = keys["oct@concentrateur.example"]
    with Mailbox([software.address]) as mailbox:
        answers = Answers(mailbox.address, layouts=layouts, entities=entities, clock=clock, certificate=own.certificate)
        assert answers.acknowledge(insurer.opened()[0]).accepted
        (letter,) = mailbox.returns
    assert letter.description == "ARL/SV/ZK"
    assert read_arl(unwrap(unseal(letter.content, own)), layouts).lots


def test_a_mailbox_tells_receipts_from_returns() -> None:
    art = b"Content-Type: Application/EDI-consent\r\nContent-Description: ART/ER\r\n\r\nx\r\n"
    with Mailbox(["pont@boite.example"]) as mailbox:
        for message in (art, art.replace(b"ART/ER", b"ARL/SV")):
            deliver(mailbox.address, "a@b.example", "pont@boite.example", message)
        assert mailbox.wait_for(2, WAIT)
        assert (len(mailbox.arts), len(mailbox.returns)) == (1, 1)
        assert not mailbox.wait_for(3, 0.0)


def test_the_two_programs_serve_each_other_until_they_are_stopped(
    draw: Draw,
    software: PractitionerSoftware,
    insurer: Insurer,
    layouts: Layouts,
    entities: Entities,
    clock: Clock,
    keys: dict[str, OwnKey],
) -> None:
    """The practitioner sends two files to the insurer, which answers each with an ARL and a RSP."""
    stop, told = threading.Event(), SimpleQueue[str]()
    mailbox = Mailbox([software.address])
    caisse = Insurer({BOURG: keys[BOURG]}, layouts=layouts, clock=clock)
    sending = threading.Thread(
        target=run_practitioner, args=(software, draw(1), mailbox, Sending(2, 0.0), stop, told.put)
    )
    sending.start()
    assert insurer.wait_for(2, WAIT)
    answers = Answers(mailbox.address, layouts=layouts, entities=entities, clock=clock)
    answering = threading.Thread(target=run_insurer, args=(caisse, answers, frozenset(Answer), stop, told.put))
    answering.start()
    until_told(told, "assureur à l'écoute")
    for arrival in insurer.arrivals:
        deliver(caisse.address, arrival.mail_from, BOURG, arrival.raw)
    deliver(caisse.address, "a@b.example", BOURG, b"x\r\n")
    assert mailbox.wait_for(4, WAIT)
    until_told(told, "indéchiffrable")
    stop.set()
    sending.join()
    answering.join()
    assert [letter.description for letter in mailbox.returns] == ["ARL/SV", "RSP/SV"] * 2


def until_told(told: SimpleQueue[str], words: str) -> None:
    """Reads what the programs told until a line holds these words; queue.Empty when none comes."""
    while words not in told.get(timeout=WAIT):
        pass


def test_a_signal_asks_a_program_to_stop() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = stop_on_signals()
    assert not stop.is_set()
    signal.raise_signal(signal.SIGTERM)
    assert stop.is_set()
    for number, handler in before.items():
        signal.signal(number, handler)
