// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IEscrow, Order, Role, Settlement, State} from "./interfaces/IEscrow.sol";
import {IPermit2} from "./interfaces/IPermit2.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Calls} from "./libraries/Calls.sol";
import {Policy} from "./libraries/Policy.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Terms} from "./libraries/Terms.sol";
import {Vaults} from "./libraries/Vaults.sol";
import {Vault} from "./Vault.sol";

/// @notice See `IEscrow`.
contract Escrow is IEscrow, Vault, EIP712, ReentrancyGuardTransient {
    using Terms for Order;

    bytes32 private constant SETTLEMENT_TYPEHASH =
        keccak256("Settlement(bytes32 orderId,uint256 toBuyer,uint256 validUntil)");
    bytes32 private constant REFUND_REQUEST_TYPEHASH = keccak256("RefundRequest(bytes32 orderId)");
    bytes32 private constant DISPUTE_TYPEHASH = keccak256("Dispute(bytes32 orderId)");
    bytes32 private constant CLAIM_TO_TYPEHASH =
        keccak256("ClaimTo(bytes32 orderId,address owner,address to,uint256 validUntil)");
    string private constant WITNESS_TYPE =
        string.concat("Order witness)", Terms.ORDER_TYPE, "TokenPermissions(address token,uint256 amount)");

    /// Bytes before each signature: its role, and its length in two bytes.
    uint256 private constant SIGNATURE_HEAD = 3;
    uint256 private constant ROLES = 4;

    /// Permit2 has the same address on every chain.
    IPermit2 private constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    bytes32 private immutable VAULT_CODE_HASH = keccak256(Vaults.creationCode(address(this)));
    bytes32 private immutable VAULT_CODE_HEAD;
    bytes32 private immutable VAULT_CODE_TAIL;

    mapping(bytes32 orderId => State) private states;
    mapping(bytes32 orderId => mapping(address owner => uint256 amount)) private claims;
    mapping(bytes32 orderId => uint256 amount) private claimSums;

    constructor() EIP712("OTC Escrow", "1") {
        (VAULT_CODE_HEAD, VAULT_CODE_TAIL) = Vaults.words(address(this));
    }

    /// @inheritdoc IEscrow
    function settle(Order calldata order, uint256 toBuyer, uint256 validUntil, bytes calldata signatures)
        external
        onlyEscrow
        nonReentrant
        returns (bytes32)
    {
        return settleLoaded(order.load(), toBuyer, validUntil, signatures);
    }

    /// @inheritdoc IEscrow
    function settleBatch(Settlement[] calldata items) external onlyEscrow returns (bool[] memory settled) {
        settled = new bool[](items.length);
        for (uint256 i; i < items.length; ++i) {
            // An even share of the gas that is left, and one for the end: no item can burn another's.
            uint256 share;
            unchecked {
                share = gasleft() / (items.length - i + 1);
            }
            if (Calls.tryVerb(share, this.settle.selector, argumentsOf(items[i]))) {
                settled[i] = true;
            } else {
                bytes memory reason = Calls.reason();
                emit SettlementFailed(i, orderIdOf(items[i].order), reason);
            }
        }
    }

    /// @inheritdoc IEscrow
    function requestRefund(Order memory order, bytes calldata signature) external onlyEscrow {
        bytes32 orderId = orderIdOf(order);
        State storage state = states[orderId];
        requireUnsettled(orderId);
        require(block.timestamp >= order.payBy, TooEarly(order.payBy, block.timestamp));
        require(state.disputedAt == 0, AlreadyDisputed(orderId, state.disputedAt));
        require(state.refundRequestedAt == 0, AlreadyRequested(orderId, state.refundRequestedAt));
        requireSignedBy(order, Role.Seller, orderId, REFUND_REQUEST_TYPEHASH, signature);

        state.refundRequestedAt = uint64(block.timestamp);
        emit RefundRequested(orderId);
    }

    /// @inheritdoc IEscrow
    function dispute(Order memory order, Role by, bytes calldata signature) external onlyEscrow {
        bytes32 orderId = orderIdOf(order);
        State storage state = states[orderId];
        require(order.valid(), InvalidTerms(orderId));
        require(by == Role.Seller || by == Role.Buyer, NotATrader(by));
        require(state.disputedAt == 0, AlreadyDisputed(orderId, state.disputedAt));
        address vault = vaultOf(orderId);
        uint256 balance = balanceIn(vault, order.token);
        // A settled vault is empty; were it filled again, a dispute over it could still change nothing.
        if (balance < order.amount) {
            requireUnsettled(orderId);
            revert Short(vault, balance, order.amount);
        }
        requireSignedBy(order, by, orderId, DISPUTE_TYPEHASH, signature);

        state.disputedAt = uint64(block.timestamp);
        emit Disputed(orderId, by);
    }

    /// @inheritdoc IEscrow
    function claim(Order memory order, address to, uint256 validUntil, bytes calldata coordinatorSignature)
        external
        onlyEscrow
        nonReentrant
    {
        bytes32 orderId = orderIdOf(order);
        uint256 amount = claims[orderId][msg.sender];
        require(amount != 0, NoClaim(orderId, msg.sender));
        if (to != msg.sender) {
            require(block.timestamp < validUntil, Expired(validUntil, block.timestamp));
            bytes32 message = keccak256(abi.encode(CLAIM_TO_TYPEHASH, orderId, msg.sender, to, validUntil));
            requireSignature(order, Role.Coordinator, _hashTypedDataV4(message), coordinatorSignature);
        }

        delete claims[orderId][msg.sender];
        claimSums[orderId] -= amount;
        emit Claimed(orderId, msg.sender, to, amount);
        require(IVault(vaultOf(orderId)).send(order.token, to, amount), TransferRefused(order.token, to, amount));
    }

    /// @inheritdoc IEscrow
    function sweep(Order memory order, address token) external onlyEscrow nonReentrant {
        bytes32 orderId = orderIdOf(order);
        address vault = vaultOf(orderId);
        require(vault.code.length != 0, NotSettled(orderId, vault));
        uint256 amount = token == address(0) ? vault.balance : IERC20(token).balanceOf(vault);
        uint256 owed = claimSums[orderId];
        uint256 reserved = token == order.token ? owed : 0;
        require(amount > reserved, NothingToSweep(orderId, token));
        amount -= reserved;

        uint256 held = owed == 0 ? 0 : IERC20(order.token).balanceOf(vault);
        emit Swept(orderId, token, order.seller, amount);
        require(IVault(vault).send(token, order.seller, amount), TransferRefused(token, order.seller, amount));
        // A token may answer under two addresses: what claims stand on must still be there.
        if (owed != 0) {
            uint256 left = IERC20(order.token).balanceOf(vault);
            require(left >= owed || left >= held, Short(vault, left, owed));
        }
    }

    /// @inheritdoc IEscrow
    function fundWithPermit2(Order memory order, uint256 nonce, uint256 deadline, bytes calldata signature)
        external
        onlyEscrow
    {
        bytes32 orderId = orderIdOf(order);
        PERMIT2.permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(order.token, order.amount), nonce, deadline),
            IPermit2.SignatureTransferDetails(requireUnsettled(orderId), order.amount),
            order.seller,
            order.hash(),
            WITNESS_TYPE,
            signature
        );
    }

    /// @inheritdoc IEscrow
    function publish(Order calldata order) external onlyEscrow {
        emit Published(orderIdOf(order), order);
    }

    /// @inheritdoc IEscrow
    function orderIdOf(Order memory order) public view returns (bytes32) {
        return _hashTypedDataV4(order.hash());
    }

    /// @inheritdoc IEscrow
    function vaultOf(bytes32 orderId) public view returns (address) {
        return Create2.computeAddress(orderId, VAULT_CODE_HASH);
    }

    /// @inheritdoc IEscrow
    function stateOf(bytes32 orderId) external view returns (State memory) {
        return states[orderId];
    }

    /// @inheritdoc IEscrow
    function claimOf(bytes32 orderId, address owner) external view returns (uint256) {
        return claims[orderId][owner];
    }

    /// @inheritdoc IEscrow
    function claimsOf(bytes32 orderId) external view returns (uint256) {
        return claimSums[orderId];
    }

    /// @inheritdoc IEscrow
    function allows(Order memory order, uint256 toBuyer, uint256 roles) external view returns (bool) {
        bytes32 orderId = orderIdOf(order);
        address vault = vaultOf(orderId);
        if (vault.code.length != 0) return false;
        return permitted(order, orderId, toBuyer, roles, balanceIn(vault, order.token));
    }

    /// A token without code holds nothing, and stops no order from ending.
    function balanceIn(address vault, address token) private view returns (uint256) {
        return token.code.length == 0 ? 0 : IERC20(token).balanceOf(vault);
    }

    /// The item's bytes: a struct's encoding is that of the arguments it consists of.
    function argumentsOf(Settlement calldata item) private pure returns (bytes calldata arguments) {
        bytes calldata signatures = item.signatures;
        assembly ("memory-safe") {
            arguments.offset := item
            arguments.length := sub(add(signatures.offset, signatures.length), item)
        }
    }

    function settleLoaded(Order memory order, uint256 toBuyer, uint256 validUntil, bytes calldata signatures)
        private
        returns (bytes32 orderId)
    {
        bytes32 domain = _domainSeparatorV4();
        orderId = MessageHashUtils.toTypedDataHash(domain, order.hash());
        if (block.timestamp >= validUntil) revert Expired(validUntil, block.timestamp);
        if (toBuyer > order.amount) revert ExceedsAmount(toBuyer, order.amount);

        bytes32 message = keccak256(abi.encode(SETTLEMENT_TYPEHASH, orderId, toBuyer, validUntil));
        bytes32 digest = MessageHashUtils.toTypedDataHash(domain, message);
        uint256 roles = order.rolesOf(msg.sender) | rolesThatSigned(order, digest, signatures);
        address vault = vaultOf(orderId);
        uint256 balance = balanceIn(vault, order.token);
        if (!permitted(order, orderId, toBuyer, roles, balance)) {
            revert NotAllowed(orderId, roles, toBuyer, states[orderId], block.timestamp);
        }
        if (balance < order.amount) requireCovered(order, orderId, toBuyer, roles, balance);
        if (Vaults.create(orderId, VAULT_CODE_HEAD, VAULT_CODE_TAIL) == address(0)) {
            revert AlreadySettled(orderId, vault);
        }

        payOut(order, orderId, vault, toBuyer, balance);
        emit Settled(orderId, roles, toBuyer);
    }

    /// The roles whose signatures these are. Each must be valid: a wrong one is a fault, not an absent one.
    function rolesThatSigned(Order memory order, bytes32 digest, bytes calldata signatures)
        private
        view
        returns (uint256 roles)
    {
        while (signatures.length != 0) {
            uint256 head = uint24(bytes3(signatures));
            uint256 role = head >> 16;
            uint256 end = SIGNATURE_HEAD + (head & 0xffff);
            if (role >= ROLES) revert MalformedSignatures(signatures);
            if (end > signatures.length) revert MalformedSignatures(signatures);
            requireSignature(order, Role(role), digest, signatures[SIGNATURE_HEAD:end]);
            roles |= 1 << role;
            signatures = signatures[end:];
        }
    }

    /// The policy's answer; where the terms are unusable, the tokens may only go back, and anyone may send them.
    function permitted(Order memory order, bytes32 orderId, uint256 toBuyer, uint256 roles, uint256 balance)
        private
        view
        returns (bool)
    {
        if (!order.valid()) return toBuyer == 0;
        if (Policy.agreed(roles, toBuyer, order.amount)) return true;
        return Policy.due(roles, toBuyer, balance, order, states[orderId], block.timestamp);
    }

    /// A vault short by any unit pays a refund, what both traders agreed on if it can, or, when nobody ruled, the
    /// default share of what is left. The vault of a settled order is short, too: it is told apart here, at no cost
    /// to the others.
    function requireCovered(
        Order memory order,
        bytes32 orderId,
        uint256 toBuyer,
        uint256 roles,
        uint256 balance
    ) private view {
        address vault = requireUnsettled(orderId);
        if (toBuyer == 0 || Policy.byDefault(toBuyer, balance, order, states[orderId], block.timestamp)) return;
        bool both = roles & (Policy.SELLER | Policy.BUYER) == Policy.SELLER | Policy.BUYER;
        require(both && balance >= toBuyer, Short(vault, balance, both ? toBuyer : order.amount));
    }

    function payOut(Order memory order, bytes32 orderId, address vault, uint256 toBuyer, uint256 balance) private {
        uint256 fee;
        uint256 net;
        uint256 toSeller;
        unchecked {
            // fee <= toBuyer <= balance, and products of two uint128 fit.
            if (toBuyer != 0) fee = uint256(order.fee) * toBuyer / order.amount;
            net = toBuyer - fee;
            toSeller = balance - toBuyer;
        }
        uint256 refused = IVault(vault).deliver(
            order.token, order.buyer, net, order.feeRecipient, fee, order.seller, toSeller
        );
        if (refused == 0) return;

        uint256 owed = owe(orderId, order.buyer, refused & 1 == 0 ? 0 : net);
        owed += owe(orderId, order.feeRecipient, refused & 2 == 0 ? 0 : fee);
        owed += owe(orderId, order.seller, refused & 4 == 0 ? 0 : toSeller);
        require(owed < balance, NothingPaid(orderId, order.token));
        claimSums[orderId] = owed;
    }

    /// Writes down a claim for a payout that the token refused.
    function owe(bytes32 orderId, address owner, uint256 amount) private returns (uint256) {
        if (amount != 0) {
            claims[orderId][owner] += amount;
            emit ClaimCreated(orderId, owner, amount);
        }
        return amount;
    }

    function requireUnsettled(bytes32 orderId) private view returns (address vault) {
        vault = vaultOf(orderId);
        require(vault.code.length == 0, AlreadySettled(orderId, vault));
    }

    /// The holder of the role sends this, or signed the message `typehash(orderId)`.
    function requireSignedBy(
        Order memory order,
        Role role,
        bytes32 orderId,
        bytes32 typehash,
        bytes calldata signature
    ) private view {
        if (msg.sender == order.holder(role)) return;
        requireSignature(order, role, _hashTypedDataV4(keccak256(abi.encode(typehash, orderId))), signature);
    }

    function requireSignature(Order memory order, Role role, bytes32 digest, bytes calldata signature)
        private
        view
    {
        address signer = order.holder(role);
        if (!Signatures.valid(signer, digest, signature)) revert InvalidSignature(role, signer, digest);
    }
}
