// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, Role} from "../interfaces/IEscrow.sol";
import {Policy} from "./Policy.sol";

/// @title Hash and validity of an order's terms
library Terms {
    string internal constant ORDER_TYPE = "Order(address token,uint128 amount,uint128 fee,address feeRecipient,"
        "address seller,address buyer,address coordinator,address arbitrator,uint64 payBy,uint32 refundWindow,"
        "uint32 rulingWindow,uint32 finalWindow,uint16 defaultBuyerBps,uint64 salt)";
    /// keccak256(bytes(ORDER_TYPE)), which the compiler would leave for every call to compute.
    bytes32 internal constant ORDER_TYPEHASH = 0xf5d5e537cbeb701cf40e86f6a8240638e3efcaba75c13ed0bc139b343ba72207;

    /// The fee is at most one part in this many of the amount: 5 %.
    uint256 internal constant FEE_CAP_DIVISOR = 20;

    /// @notice The terms in memory; reverts, as the compiler's own decoder does, on a word wider than its type.
    /// All members are static: one copy and one comparison cost half of fourteen of each.
    function load(Order calldata terms) internal pure returns (Order memory order) {
        assembly ("memory-safe") {
            calldatacopy(order, terms, 0x1c0)
            function word(start, index) -> value {
                value := mload(add(start, mul(index, 0x20)))
            }
            // token, feeRecipient, seller, buyer, coordinator, arbitrator
            let excess := or(word(order, 0), or(word(order, 3), word(order, 4)))
            excess := or(excess, or(word(order, 5), or(word(order, 6), word(order, 7))))
            excess := shr(160, excess)
            // amount, fee
            excess := or(excess, shr(128, or(word(order, 1), word(order, 2))))
            // payBy, salt
            excess := or(excess, shr(64, or(word(order, 8), word(order, 13))))
            // refundWindow, rulingWindow, finalWindow
            excess := or(excess, shr(32, or(word(order, 9), or(word(order, 10), word(order, 11)))))
            // defaultBuyerBps
            excess := or(excess, shr(16, word(order, 12)))
            if excess { revert(0, 0) }
        }
    }

    /// @notice EIP-712 struct hash. All members are static, so the struct in memory is EIP-712's `encodeData`;
    /// the word before it makes room for the type hash and is put back.
    function hash(Order memory order) internal pure returns (bytes32 result) {
        bytes32 typehash = ORDER_TYPEHASH;
        assembly ("memory-safe") {
            let start := sub(order, 0x20)
            let before := mload(start)
            mstore(start, typehash)
            result := keccak256(start, 0x1e0)
            mstore(start, before)
        }
    }

    /// @notice Whether an order of these terms can be settled other than by a refund.
    function valid(Order memory order) internal pure returns (bool) {
        if (order.token == address(0)) return false;
        if (order.amount == 0) return false;
        if (order.fee > order.amount / FEE_CAP_DIVISOR) return false;
        if (order.feeRecipient == address(0)) {
            if (order.fee != 0) return false;
        }
        if (order.defaultBuyerBps > Policy.BPS) return false;
        return rolesDiffer(order);
    }

    /// @notice The address that holds a role.
    function holder(Order memory order, Role role) internal pure returns (address) {
        if (role == Role.Seller) return order.seller;
        if (role == Role.Buyer) return order.buyer;
        if (role == Role.Coordinator) return order.coordinator;
        return order.arbitrator;
    }

    /// @notice The roles that `account` holds, as a set.
    function rolesOf(Order memory order, address account) internal pure returns (uint256 roles) {
        if (account == order.seller) roles |= Policy.SELLER;
        if (account == order.buyer) roles |= Policy.BUYER;
        if (account == order.coordinator) roles |= Policy.COORDINATOR;
        if (account == order.arbitrator) roles |= Policy.ARBITRATOR;
    }

    function rolesDiffer(Order memory order) private pure returns (bool) {
        (address s, address b, address c, address a) =
            (order.seller, order.buyer, order.coordinator, order.arbitrator);
        bool bad;
        assembly ("memory-safe") {
            bad := or(or(iszero(s), iszero(b)), or(iszero(c), iszero(a)))
            bad := or(bad, or(or(eq(s, b), eq(s, c)), or(eq(s, a), or(eq(b, c), or(eq(b, a), eq(c, a))))))
        }
        return !bad;
    }
}
