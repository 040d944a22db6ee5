"""Last step of a return whose practitioner takes it here: the hosted mailboxes, as their door uses them (R5, R6, P6).

Takes logins, gives mailboxes with an exclusive lock, contents, and writes down what was read and what was removed,
each in one commit with its events. Removing hides: the concentrator's copy stays (R6).

Verified logins are remembered for minutes, because checking one costs a tenth of a second: under a keyed digest with
a key of this process, never the password, and together with the stored hash, so that a changed password counts at once.

Blocking; used from threads. StoreError when the database is away, RuleError for a content past its retention.
"""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from functools import cached_property

from oct.clock import Clock
from oct.crypto.atrest import Vault
from oct.crypto.passwords import hash_password, needs_rehash, verify_password
from oct.pop.mailboxes import Item, Mailboxes, Maildrop
from oct.store import mailboxes, payloads, practitioners
from oct.store.engine import Store
from oct.store.practitioners import Mailbox

_REMEMBERED = 10_000
_NAME_BYTES = 12

LEASE_MS = 60_000
"""How long a mailbox stays locked after the process that reads it died."""

REMEMBER_MS = 300_000


class HostedMailboxes:
    """The mailboxes of one process, whose locks are told from others' by `name`, unique among running processes."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        clock: Clock,
        chance: Callable[[int], bytes],
        name: str,
        *,
        remember_ms: int = REMEMBER_MS,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._chance = chance
        self._name = name
        self._remember_ms = remember_ms
        self._key = chance(32)
        self._verified: OrderedDict[bytes, int] = OrderedDict()
        self._turn = threading.Lock()

    def callables(self) -> Mailboxes:
        """What the POP server is handed."""
        return Mailboxes(
            authenticate=self.authenticate,
            open=self.open,
            fetch=self.fetch,
            fetched=self.fetched,
            renew=self.renew,
            close=self.close,
            release=self.release,
        )

    def take_back(self) -> int:
        """Give back the locks of a predecessor of the same name that died; how many. Before the server starts."""
        with self._store.begin() as conn:
            return mailboxes.release_locks(conn, self._name)

    def authenticate(self, login: str, password: str) -> int | None:
        """The account that a login and its password open, or None; as long for an unknown login as for a known one.
        A closed account still reads what is left for it."""
        with self._store.read() as conn:
            mailbox = practitioners.mailbox(conn, login)
        if mailbox is None:
            verify_password(self._nobody, password)
            return None
        proof = self._proof(mailbox, password)
        if not self._is_verified(proof):
            if not verify_password(mailbox.password, password):
                return None
            if needs_rehash(mailbox.password):
                mailbox = self._rehash(mailbox, password)
                proof = self._proof(mailbox, password)
            self._remember(proof)
        return mailbox.practitioner_id

    def open(self, account: int) -> Maildrop | None:
        """Lock a mailbox and list it; None when somebody reads it."""
        reader = f"{self._name}{self._chance(_NAME_BYTES).hex()}"
        now = self._clock()
        with self._store.begin() as conn:
            if not mailboxes.try_lock(conn, account, reader, now, now + LEASE_MS):
                return None
            kept = mailboxes.listing(conn, account)
        return Maildrop(account, reader, tuple(Item(one.id, one.payload_id, one.uid, one.size) for one in kept))

    def fetch(self, item: Item) -> bytes:
        """The message, as it would have been sent by SMTP."""
        with self._store.read() as conn:
            return payloads.get(conn, self._vault, item.payload_id)

    def fetched(self, maildrop: Maildrop, item_ids: Collection[int]) -> None:
        """Write down when items were read."""
        with self._store.begin() as conn:
            mailboxes.mark_fetched(conn, maildrop.account, item_ids, self._clock())

    def renew(self, readers: Collection[str]) -> None:
        """Keep the locks of these readers."""
        with self._store.begin() as conn:
            mailboxes.renew(conn, readers, self._clock() + LEASE_MS)

    def close(self, maildrop: Maildrop, item_ids: Collection[int]) -> bool:
        """Hide items and unlock; False, and nothing hidden, when the lock was lost."""
        with self._store.begin() as conn:
            if not mailboxes.unlock(conn, maildrop.account, maildrop.reader):
                return False
            mailboxes.hide(conn, maildrop.account, item_ids, self._clock())
        return True

    def release(self, maildrop: Maildrop) -> None:
        """Unlock; nothing is hidden."""
        with self._store.begin() as conn:
            mailboxes.unlock(conn, maildrop.account, maildrop.reader)

    @cached_property
    def _nobody(self) -> str:
        """What the password of an unknown login is compared with."""
        return hash_password(self._chance(16).hex())

    def _rehash(self, mailbox: Mailbox, password: str) -> Mailbox:
        """Today's costs for a password that was hashed with older ones."""
        hashed = hash_password(password)
        with self._store.begin() as conn:
            practitioners.set_mailbox(conn, mailbox.practitioner_id, mailbox.login, hashed)
        return Mailbox(mailbox.practitioner_id, mailbox.login, hashed, mailbox.closed)

    def _proof(self, mailbox: Mailbox, password: str) -> bytes:
        claim = f"{mailbox.login}\0{mailbox.password}\0{password}"
        return hmac.digest(self._key, claim.encode(), "sha256")

    def _is_verified(self, proof: bytes) -> bool:
        with self._turn:
            since = self._verified.get(proof)
        return since is not None and self._clock() - since < self._remember_ms

    def _remember(self, proof: bytes) -> None:
        with self._turn:
            self._verified.pop(proof, None)
            self._verified[proof] = self._clock()
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
