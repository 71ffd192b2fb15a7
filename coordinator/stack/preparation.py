"""What must be right about a database and a token before anything runs on them."""

from otc_sdk.errors import ChainError, OtcError
from sqlalchemy import Engine
from sqlmodel import select
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3Exception

from coordinator.db.chain import Cursor
from coordinator.db.migrate import upgrade
from coordinator.db.session import DatabaseDown, make_engine, require_up, transaction

DECIMALS_CALL = Web3.keccak(text="decimals()")[:4]


def prepare_database(url: str, w3: Web3) -> None:
    """Bring it to the newest schema. Raises OtcError if it is down or follows another chain."""
    try:
        engine = make_engine(url)
    except ValueError as error:
        raise OtcError(f"DATABASE_URL {error}") from None
    try:
        require_up(engine)
        upgrade(engine)
        require_same_chain(engine, w3)
    except DatabaseDown as error:
        raise OtcError(str(error)) from error
    finally:
        engine.dispose()


def require_same_chain(engine: Engine, w3: Web3) -> None:
    """Raise ChainError unless the database is new or has followed this very chain."""
    chain_id = w3.eth.chain_id
    name = engine.url.render_as_string(hide_password=True)
    with transaction(engine) as session:
        cursors = session.exec(select(Cursor)).all()
    for cursor in cursors:
        if cursor.chain_id != chain_id:
            raise ChainError(
                f"the database {name} belongs to chain {cursor.chain_id}, "
                f"the node is on chain {chain_id}; use another database"
            )
        actual = block_hash(w3, cursor.final_number)
        if actual is not None and actual != cursor.final_hash:
            raise ChainError(
                f"the database {name} belongs to another chain {chain_id}: its block "
                f"{cursor.final_number} is {cursor.final_hash}, the node's is {actual}; "
                "use another database"
            )


def block_hash(w3: Web3, number: int) -> str | None:
    """None for a node that has not come so far; it may be catching up."""
    try:
        return w3.eth.get_block(number)["hash"].to_0x_hex()
    except BlockNotFound:
        return None


def require_token(w3: Web3, given: str) -> str:
    """The token's checksummed address. Raises ChainError if there is none."""
    if not Web3.is_address(given):
        raise ChainError(f"--token {given} is not an address")
    token = Web3.to_checksum_address(given)
    if not w3.eth.get_code(token):
        raise ChainError(f"no token at {token} on chain {w3.eth.chain_id}")
    try:
        answer = bytes(w3.eth.call({"to": token, "data": DECIMALS_CALL}))
    except Web3Exception:
        answer = b""
    if len(answer) != 32:
        raise ChainError(f"the contract at {token} is not an ERC-20 token with decimals()")
    return token
