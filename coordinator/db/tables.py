"""Every table, for migrations."""

from sqlmodel import SQLModel

from coordinator.db.ads import Ad
from coordinator.db.chain import Block, Cursor, Log
from coordinator.db.cosigning import Cosignature, CosignerSwitch
from coordinator.db.escrows import Escrow
from coordinator.db.halts import ChainHalt
from coordinator.db.intents import Attempt, Intent, SenderKey, Slot
from coordinator.db.ledger import LedgerEntry
from coordinator.db.node_health import NodeHealth
from coordinator.db.orders import Order, OrderLogEntry, OrderSignature
from coordinator.db.settlements import Settlement, SettlementSignature
from coordinator.db.users import Nonce, SignIn, User

TABLES = (
    Ad,
    Attempt,
    Block,
    ChainHalt,
    Cosignature,
    CosignerSwitch,
    Cursor,
    Escrow,
    Intent,
    LedgerEntry,
    Log,
    NodeHealth,
    Nonce,
    Order,
    OrderLogEntry,
    OrderSignature,
    SenderKey,
    Settlement,
    SettlementSignature,
    SignIn,
    Slot,
    User,
)
metadata = SQLModel.metadata
