// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, Role, State} from "../interfaces/IEscrow.sol";

/// @title Who may settle an order how, and when
/// @notice A set of roles is a number with bit `1 << Role` for each role in it.
library Policy {
    uint256 internal constant SELLER = 1 << uint256(Role.Seller);
    uint256 internal constant BUYER = 1 << uint256(Role.Buyer);
    uint256 internal constant COORDINATOR = 1 << uint256(Role.Coordinator);
    uint256 internal constant ARBITRATOR = 1 << uint256(Role.Arbitrator);

    uint256 internal constant BPS = 10_000;

    /// @notice The whole table. `time` is Unix seconds; a deadline has passed from its own second on.
    /// `balance` is what the vault holds: the default share is of that, if it is less than the amount.
    function allows(
        uint256 roles,
        uint256 toBuyer,
        uint256 balance,
        Order memory order,
        State memory state,
        uint256 time
    ) internal pure returns (bool) {
        return agreed(roles, toBuyer, order.amount) || due(roles, toBuyer, balance, order, state, time);
    }

    /// @notice What needs no state and no clock: the two traders agree on anything, and each may give way to the
    /// other with the coordinator.
    function agreed(uint256 roles, uint256 toBuyer, uint256 amount) internal pure returns (bool) {
        if (all(roles, SELLER | BUYER)) return true;
        if (all(roles, SELLER | COORDINATOR)) return toBuyer == amount;
        return toBuyer == 0 && all(roles, BUYER | COORDINATOR);
    }

    /// @notice What time or a dispute allows.
    function due(
        uint256 roles,
        uint256 toBuyer,
        uint256 balance,
        Order memory order,
        State memory state,
        uint256 time
    ) internal pure returns (bool) {
        // Time is on the seller's side while the buyer is silent.
        if (state.disputedAt == 0) {
            if (toBuyer != 0 || time < order.payBy || !all(roles, SELLER)) return false;
            if (all(roles, COORDINATOR)) return true;
            return state.refundRequestedAt != 0 && time >= uint256(state.refundRequestedAt) + order.refundWindow;
        }

        // A ruling takes a judge and one trader; the coordinator judges once the arbitrator was silent.
        uint256 rulingDue = uint256(state.disputedAt) + order.rulingWindow;
        if (roles & (SELLER | BUYER) != 0) {
            if (all(roles, ARBITRATOR)) return true;
            if (all(roles, COORDINATOR) && time >= rulingDue) return true;
        }

        return byDefault(toBuyer, balance, order, state, time);
    }

    /// @notice Nobody judged: anyone sends the split that the traders agreed on beforehand.
    function byDefault(
        uint256 toBuyer,
        uint256 balance,
        Order memory order,
        State memory state,
        uint256 time
    ) internal pure returns (bool) {
        if (state.disputedAt == 0) return false;
        uint256 finalDue = uint256(state.disputedAt) + order.rulingWindow + order.finalWindow;
        return time >= finalDue && toBuyer == defaultToBuyer(balance, order);
    }

    /// @notice The buyer's share if nobody rules, rounded down; of what is there, if that is less than the amount.
    function defaultToBuyer(uint256 balance, Order memory order) internal pure returns (uint256) {
        uint256 base = balance < order.amount ? balance : order.amount;
        return base * order.defaultBuyerBps / BPS;
    }

    function all(uint256 roles, uint256 wanted) private pure returns (bool) {
        return roles & wanted == wanted;
    }
}
