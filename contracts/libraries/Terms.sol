// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, Role} from "../interfaces/IEscrow.sol";
import {Policy} from "./Policy.sol";

/// @title Hash and validity of an order's terms
library Terms {
    string internal constant ORDER_TYPE = "Order(address token,uint128 amount,uint128 fee,address feeRecipient,"
        "address seller,address buyer,address coordinator,address arbitrator,uint64 payBy,uint32 refundWindow,"
        "uint32 rulingWindow,uint32 finalWindow,uint16 defaultBuyerBps,uint64 salt)";
    bytes32 internal constant ORDER_TYPEHASH = keccak256(bytes(ORDER_TYPE));

    /// The fee is at most one part in this many of the amount: 5 %.
    uint256 internal constant FEE_CAP_DIVISOR = 20;

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
        return order.amount != 0 && order.fee <= order.amount / FEE_CAP_DIVISOR
            && order.defaultBuyerBps <= Policy.BPS && order.token != address(0)
            && (order.fee == 0 || order.feeRecipient != address(0)) && rolesDiffer(order);
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
