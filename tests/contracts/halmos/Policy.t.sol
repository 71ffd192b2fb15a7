// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, State} from "../../../contracts/interfaces/IEscrow.sol";
import {Policy} from "../../../contracts/libraries/Policy.sol";
import {Terms} from "../../../contracts/libraries/Terms.sol";
import {Vm} from "../Base.sol";
import {Table} from "../Table.sol";

/// @notice Proven: for every set of roles, share, balance, time, state and terms, `Policy.allows` is the design's
/// table (Table.sol), and in every row some trader takes part or time has passed.
/// Assumed: a default share of at most the whole, as the escrow asks for. The default share's product and quotient are
/// the same uninterpreted terms on both sides, so nothing is said of their value: the vectors (../Policy.t.sol) and
/// `check_nobodyIsPaidExactly`, of one amount and share, do.
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
        (Order memory order, State memory state) = termsOf(c);
        assert(allowed(c) == Table.allows(c.roles, c.toBuyer, c.balance, order, state, c.time));
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
