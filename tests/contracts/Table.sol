// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, State} from "../../contracts/interfaces/IEscrow.sol";

/// @notice The design's table of who may settle how, and when, restated row by row for tests and proofs.
library Table {
    function allows(
        uint256 roles,
        uint256 toBuyer,
        uint256 balance,
        Order memory order,
        State memory state,
        uint256 time
    ) internal pure returns (bool) {
        bool seller = roles & 1 == 1;
        bool buyer = roles >> 1 & 1 == 1;
        bool coordinator = roles >> 2 & 1 == 1;
        bool arbitrator = roles >> 3 & 1 == 1;
        if (seller && buyer) return true;
        if (seller && coordinator && toBuyer == order.amount) return true;
        if (buyer && coordinator && toBuyer == 0) return true;
        if (state.disputedAt == 0) {
            if (toBuyer != 0 || !seller || time < order.payBy) return false;
            uint256 requested = state.refundRequestedAt;
            return coordinator || requested != 0 && time >= requested + order.refundWindow;
        }
        if (arbitrator && (seller || buyer)) return true;
        if (coordinator && (seller || buyer) && time >= uint256(state.disputedAt) + order.rulingWindow) return true;
        return byDefault(toBuyer, balance, order, state, time);
    }

    /// The last row: nobody ruled, and anyone sends the default share of the amount, or of what is left of it.
    function byDefault(uint256 toBuyer, uint256 balance, Order memory order, State memory state, uint256 time)
        internal
        pure
        returns (bool)
    {
        if (state.disputedAt == 0) return false;
        uint256 base = balance < order.amount ? balance : order.amount;
        return time >= uint256(state.disputedAt) + order.rulingWindow + order.finalWindow
            && toBuyer == base * order.defaultBuyerBps / 10_000;
    }
}
