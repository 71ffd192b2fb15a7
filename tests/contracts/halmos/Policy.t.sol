// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, State} from "../../../contracts/interfaces/IEscrow.sol";
import {Policy} from "../../../contracts/libraries/Policy.sol";
import {Terms} from "../../../contracts/libraries/Terms.sol";
import {Vm} from "../Base.sol";

/// @notice Proven: for every set of roles, share, balance, time, state and terms, `Policy.allows` is the design's
/// table below, and in every row some trader takes part or time has passed.
/// Assumed: nothing. The default share's product and quotient are the same uninterpreted terms on both sides; that
/// they are what they should be is proven in Payout.t.sol and tested by vectors.
contract PolicyProof {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    struct Case {
        uint256 roles;
        uint256 toBuyer;
        uint256 balance;
        uint256 time;
        uint128 amount;
        uint64 payBy;
        uint32 refundWindow;
        uint32 rulingWindow;
        uint32 finalWindow;
        uint16 bps;
        uint64 requestedAt;
        uint64 disputedAt;
    }

    function termsOf(Case memory c) private pure returns (Order memory order, State memory state) {
        (order.amount, order.payBy, order.defaultBuyerBps) = (c.amount, c.payBy, c.bps);
        (order.refundWindow, order.rulingWindow, order.finalWindow) =
            (c.refundWindow, c.rulingWindow, c.finalWindow);
        state = State(c.requestedAt, c.disputedAt);
    }

    function allowed(Case memory c) private pure returns (bool) {
        (Order memory order, State memory state) = termsOf(c);
        return Policy.allows(c.roles, c.toBuyer, c.balance, order, state, c.time);
    }

    function check_policyIsTheTable(Case memory c) external pure {
        vm.assume(c.bps <= 10_000);
        assert(allowed(c) == table(c));
    }

    function table(Case memory c) private pure returns (bool) {
        bool seller = c.roles & 1 == 1;
        bool buyer = c.roles >> 1 & 1 == 1;
        bool coordinator = c.roles >> 2 & 1 == 1;
        bool arbitrator = c.roles >> 3 & 1 == 1;
        bool release = c.toBuyer == c.amount;
        bool refund = c.toBuyer == 0;
        if (seller && buyer) return true;
        if (seller && coordinator && release) return true;
        if (buyer && coordinator && refund) return true;
        if (c.disputedAt == 0) {
            if (!refund || !seller || c.time < c.payBy) return false;
            bool windowPassed = c.requestedAt != 0 && c.time >= uint256(c.requestedAt) + c.refundWindow;
            return coordinator || windowPassed;
        }
        uint256 ruling = uint256(c.disputedAt) + c.rulingWindow;
        if (arbitrator && (seller || buyer)) return true;
        if (coordinator && (seller || buyer) && c.time >= ruling) return true;
        uint256 base = c.balance < c.amount ? c.balance : c.amount;
        return c.time >= ruling + c.finalWindow && c.toBuyer == base * c.bps / 10_000;
    }

    /// Without a trader nothing is allowed but the default split, after a trader's dispute and every window.
    function check_thePlatformAloneIsAllowedNothing(Case memory c) external pure {
        vm.assume(c.bps <= 10_000);
        vm.assume(c.roles & 3 == 0);
        if (!allowed(c)) return;
        assert(c.disputedAt != 0);
        assert(c.time >= uint256(c.disputedAt) + c.rulingWindow + c.finalWindow);
    }

    /// One key moves money only by time: the seller's own refund, or the default split.
    function check_oneKeyNeedsTime(Case memory c) external pure {
        vm.assume(c.bps <= 10_000);
        vm.assume(c.roles == 1 || c.roles == 2 || c.roles == 4 || c.roles == 8);
        if (!allowed(c)) return;
        if (c.disputedAt == 0) {
            assert(c.roles == 1 && c.toBuyer == 0 && c.requestedAt != 0);
            assert(c.time >= c.payBy && c.time >= uint256(c.requestedAt) + c.refundWindow);
        } else {
            assert(c.time >= uint256(c.disputedAt) + c.rulingWindow + c.finalWindow);
        }
    }

    /// A signature more never takes away what was allowed.
    function check_anotherSignatureForbidsNothing(Case memory c, uint256 more) external pure {
        vm.assume(c.bps <= 10_000);
        if (!allowed(c)) return;
        c.roles |= more;
        assert(allowed(c));
    }
}
