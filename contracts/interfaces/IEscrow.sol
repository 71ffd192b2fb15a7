// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The four parties of an order. The value is the bit of the role in a set of roles.
enum Role {
    Seller,
    Buyer,
    Coordinator,
    Arbitrator
}

/// @notice The terms of one order. Their EIP-712 hash is the order's id, and the id fixes its vault.
struct Order {
    /// ERC-20 token that is traded.
    address token;
    /// Amount under escrow, in the token's smallest unit.
    uint128 amount;
    /// Fee of a full release, in the token's smallest unit; at most 5 % of the amount.
    uint128 fee;
    /// Who receives the fee.
    address feeRecipient;
    /// Who funds the vault.
    address seller;
    /// Who receives the amount on release.
    address buyer;
    /// Co-signs releases and refunds.
    address coordinator;
    /// Rules on disputes: an account, or a contract that answers ERC-1271 (a panel).
    address arbitrator;
    /// Until when the buyer may pay, in Unix seconds.
    uint64 payBy;
    /// How long a refund request waits for a dispute, in seconds.
    uint32 refundWindow;
    /// How long the arbitrator alone may rule, in seconds after the dispute was opened.
    uint32 rulingWindow;
    /// How long coordinator and arbitrator may both rule, in seconds after the ruling window.
    uint32 finalWindow;
    /// Share of the buyer if nobody rules, in basis points of the amount.
    uint16 defaultBuyerBps;
    /// Tells orders of equal terms apart.
    uint64 salt;
}

/// @notice What the escrow remembers of an order before its settlement: one slot, zero on the happy path.
struct State {
    /// Block time of the seller's refund request in Unix seconds; zero if there was none.
    uint64 refundRequestedAt;
    /// Block time at which the dispute was opened in Unix seconds; zero if there is none.
    uint64 disputedAt;
}

/// @notice One settlement of a batch, the arguments of `settle`.
struct Settlement {
    Order order;
    uint256 toBuyer;
    uint256 validUntil;
    bytes signatures;
}

/// @title Non-custodial escrow, one vault an order
/// @notice An order's tokens lie at the CREATE2 address of its vault from the first transfer on. The vault's code
/// is deployed by the transaction that settles the order, and stays there as the proof that it was settled.
/// Which roles may settle how, and when, is one table: `Policy.allows`.
/// There is no owner, no upgrade and no pause.
interface IEscrow {
    /// @notice An order was settled by the set `roles` (bit `1 << Role`); `toBuyer` is before the fee.
    event Settled(bytes32 indexed orderId, uint256 roles, uint256 toBuyer);
    /// @notice The seller asked for a refund by time.
    event RefundRequested(bytes32 indexed orderId);
    /// @notice A trader opened a dispute. Means nothing after `Settled`.
    event Disputed(bytes32 indexed orderId, Role openedBy);
    /// @notice The terms of an order, for whoever verifies. Anyone may publish any terms: only their hash says
    /// which order they are of.
    event Published(bytes32 indexed orderId, Order order);
    /// @notice The token refused a payout; `owner` can withdraw it by `claim`.
    event ClaimCreated(bytes32 indexed orderId, address indexed owner, uint256 amount);
    /// @notice A refused payout was withdrawn.
    event Claimed(bytes32 indexed orderId, address indexed owner, address indexed to, uint256 amount);
    /// @notice Tokens beyond the order went to the seller. `token` zero is the chain's native coin.
    event Swept(bytes32 indexed orderId, address indexed token, address indexed seller, uint256 amount);
    /// @notice An item of a batch failed with `reason` (ABI-encoded error) and changed nothing.
    event SettlementFailed(uint256 indexed index, bytes32 indexed orderId, bytes reason);

    /// @notice The order was settled before; its vault has code.
    error AlreadySettled(bytes32 orderId, address vault);
    /// @notice The order was not settled yet; its vault has no code.
    error NotSettled(bytes32 orderId, address vault);
    /// @notice The terms are unusable (no token, zero amount, a fee over the cap or without a recipient, share over
    /// 100 %, equal or missing roles): there is no dispute, and nothing but a refund is possible.
    error InvalidTerms(bytes32 orderId);
    /// @notice The buyer's share exceeds the amount.
    error ExceedsAmount(uint256 toBuyer, uint256 amount);
    /// @notice The signed message is no longer valid.
    error Expired(uint256 validUntil, uint256 time);
    /// @notice The signature is not one of `signer` over `digest`.
    error InvalidSignature(Role role, address signer, bytes32 digest);
    /// @notice From here on the bytes are not a list of signatures.
    error MalformedSignatures(bytes rest);
    /// @notice These roles may not settle this way in this state and at this time.
    error NotAllowed(bytes32 orderId, uint256 roles, uint256 toBuyer, State state, uint256 time);
    /// @notice The vault holds less than this step needs.
    error Short(address vault, uint256 balance, uint256 needed);
    /// @notice Every payout was refused by the token; the settlement can be tried again.
    error NothingPaid(bytes32 orderId, address token);
    /// @notice The pay-by time has not come.
    error TooEarly(uint256 payBy, uint256 time);
    /// @notice Only buyer and seller open disputes.
    error NotATrader(Role role);
    /// @notice The order is disputed already.
    error AlreadyDisputed(bytes32 orderId, uint256 disputedAt);
    /// @notice A refund was requested already.
    error AlreadyRequested(bytes32 orderId, uint256 refundRequestedAt);
    /// @notice There is nothing to withdraw for `owner`.
    error NoClaim(bytes32 orderId, address owner);
    /// @notice There is nothing to sweep.
    error NothingToSweep(bytes32 orderId, address token);
    /// @notice The token refused the transfer; it can be tried again.
    error TransferRefused(address token, address to, uint256 amount);

    /// @notice Ends an order: `toBuyer` of the amount goes to the buyer, less the fee pro rata rounded down;
    /// the rest and any surplus to the seller. Once for ever.
    /// @dev The sender counts as a signer. Everybody else signs EIP-712
    /// `Settlement(bytes32 orderId,uint256 toBuyer,uint256 validUntil)`. A vault short of the amount allows a refund,
    /// a split that both traders sign and the balance covers, or, past the final window, the default share of the
    /// balance. A payout refused by the token becomes a claim;
    /// if all are refused, the call reverts.
    /// @param order Terms of the order.
    /// @param toBuyer Share of the buyer before the fee, in the token's smallest unit.
    /// @param validUntil First second, Unix time, at which the signatures no longer count.
    /// @param signatures Of the roles that agree besides the sender, one after the other: role (1 byte), length
    /// (2 bytes), signature. A signature is ECDSA of 65 bytes or 64 (EIP-2098), or what the role's ERC-1271
    /// contract takes.
    /// @return orderId Id of the order.
    function settle(Order calldata order, uint256 toBuyer, uint256 validUntil, bytes calldata signatures)
        external
        returns (bytes32 orderId);

    /// @notice Settles many orders; an item that fails is reported by `SettlementFailed` and the rest go through.
    /// @dev Each item may use an even share of the gas that is left: allow 300,000 an item.
    /// @param items What `settle` takes, for each order. The sender counts as a signer of each.
    /// @return settled For each item, whether it went through.
    function settleBatch(Settlement[] calldata items) external returns (bool[] memory settled);

    /// @notice Starts the refund window. After it, and without a dispute, the seller settles a refund alone.
    /// @param order Terms of the order.
    /// @param signature Empty if the seller sends; else the seller's over `RefundRequest(bytes32 orderId)`.
    function requestRefund(Order calldata order, bytes calldata signature) external;

    /// @notice Opens a dispute while the vault holds the amount. It ends the seller's way to a refund by time.
    /// @param order Terms of the order.
    /// @param by Seller or buyer.
    /// @param signature Empty if that trader sends; else theirs over `Dispute(bytes32 orderId)`.
    function dispute(Order calldata order, Role by, bytes calldata signature) external;

    /// @notice Withdraws a payout of the sender's that the token had refused.
    /// @param order Terms of the order.
    /// @param to The sender, or any address with the coordinator's signature over
    /// `ClaimTo(bytes32 orderId,address owner,address to,uint256 validUntil)`.
    /// @param validUntil First second at which the signature no longer counts; not read if `to` is the sender.
    /// @param coordinatorSignature Not read if `to` is the sender.
    function claim(Order calldata order, address to, uint256 validUntil, bytes calldata coordinatorSignature) external;

    /// @notice Sends what a settled order's vault holds beyond its claims to the seller: late or foreign tokens.
    /// @param order Terms of the order.
    /// @param token Any ERC-20 token, or zero for the chain's native coin.
    function sweep(Order calldata order, address token) external;

    /// @notice Funds the vault from the seller's account by a Permit2 signature with the order as witness.
    /// @param order Terms of the order.
    /// @param nonce Unordered Permit2 nonce of the seller.
    /// @param deadline Last second, Unix time, at which the permit is valid.
    /// @param signature The seller's over the Permit2 message.
    function fundWithPermit2(Order calldata order, uint256 nonce, uint256 deadline, bytes calldata signature) external;

    /// @notice Emits the terms, for whoever wants to read them from the chain's events.
    /// @param order Any terms; nothing is checked.
    function publish(Order calldata order) external;

    /// @notice EIP-712 hash of the terms in this contract's domain.
    /// @param order Any terms; nothing is checked.
    /// @return Id of the order.
    function orderIdOf(Order calldata order) external view returns (bytes32);

    /// @notice Address of the order's vault, whether it has code yet or not.
    /// @param orderId Id of the order.
    /// @return The address.
    function vaultOf(bytes32 orderId) external view returns (address);

    /// @notice Refund request and dispute of an order.
    /// @param orderId Id of the order.
    /// @return Their times; all zero where there was neither.
    function stateOf(bytes32 orderId) external view returns (State memory);

    /// @notice What `owner` can withdraw, in the token's smallest unit.
    /// @param orderId Id of the order.
    /// @param owner Whose payout was refused.
    /// @return The amount.
    function claimOf(bytes32 orderId, address owner) external view returns (uint256);

    /// @notice Sum of an order's open claims, in the token's smallest unit.
    /// @param orderId Id of the order.
    /// @return The amount.
    function claimsOf(bytes32 orderId) external view returns (uint256);

    /// @notice Whether the policy lets these roles settle this way, now: by `Policy.allows`, or, where the terms are
    /// unusable, whether it is a refund. False once the order is settled.
    /// @dev It answers who, not whether there is anything to pay: true also for a vault that is short or empty and for
    /// more than the amount, where `settle` reverts with `Short` or `ExceedsAmount`.
    /// @param order Terms of the order.
    /// @param toBuyer Share of the buyer before the fee, in the token's smallest unit.
    /// @param roles Set of the roles that agree, bit `1 << Role` for each.
    /// @return Whether they suffice.
    function allows(Order calldata order, uint256 toBuyer, uint256 roles) external view returns (bool);
}
