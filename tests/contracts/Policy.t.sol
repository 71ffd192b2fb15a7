// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, State} from "../../contracts/interfaces/IEscrow.sol";
import {Policy} from "../../contracts/libraries/Policy.sol";
import {Base} from "./Base.sol";
import {Table} from "./Table.sol";

/// @notice The policy against the vectors of tests/vectors/policy_model.py, as a function and through `settle`.
contract PolicyTest is Base {
    struct Vectors {
        uint256 never;
        uint256[] requestedAt;
        uint256[] disputedAt;
        uint256[] time;
        uint256[] roles;
        uint256[] toBuyer;
        bool[] allowed;
    }

    string private json = vm.readFile("tests/vectors/policy.json");

    function vectors() private view returns (Vectors memory) {
        return Vectors({
            never: number(".never"),
            requestedAt: vm.parseJsonUintArray(json, ".requested_at"),
            disputedAt: vm.parseJsonUintArray(json, ".disputed_at"),
            time: vm.parseJsonUintArray(json, ".time"),
            roles: vm.parseJsonUintArray(json, ".roles"),
            toBuyer: vm.parseJsonUintArray(json, ".to_buyer"),
            allowed: vm.parseJsonBoolArray(json, ".allowed")
        });
    }

    function number(string memory key) private view returns (uint256) {
        return vm.parseJsonUint(json, key);
    }

    function vectorOrder() private view returns (Order memory order) {
        order = makeOrder();
        order.amount = uint128(number(".terms.amount"));
        order.fee = order.amount / 100;
        order.defaultBuyerBps = uint16(number(".terms.default_buyer_bps"));
        order.payBy = uint64(START + number(".terms.pay_by"));
        order.refundWindow = uint32(number(".terms.refund_window"));
        order.rulingWindow = uint32(number(".terms.ruling_window"));
        order.finalWindow = uint32(number(".terms.final_window"));
    }

    function test_policyAnswersEveryVector() external view {
        Vectors memory v = vectors();
        Order memory order = vectorOrder();
        vm.assertTrue(v.allowed.length > 3_000);
        for (uint256 i; i < v.allowed.length; ++i) {
            State memory state = State({
                refundRequestedAt: v.requestedAt[i] == v.never ? 0 : uint64(START + v.requestedAt[i]),
                disputedAt: v.disputedAt[i] == v.never ? 0 : uint64(START + v.disputedAt[i])
            });
            bool answer = Policy.allows(v.roles[i], v.toBuyer[i], order.amount, order, state, START + v.time[i]);
            vm.assertEq(answer, v.allowed[i], vm.toString(i));
        }
    }

    function test_settleObeysTheVectorsOfAnOpenOrder() external {
        settleObeys(false, false);
    }

    function test_settleObeysTheVectorsAfterARefundRequest() external {
        settleObeys(true, false);
    }

    function test_settleObeysTheVectorsOfADispute() external {
        settleObeys(false, true);
    }

    function test_settleObeysTheVectorsOfADisputeAfterARefundRequest() external {
        settleObeys(true, true);
    }

    /// Brings one real order into the state, then tries every vector of that state on it by signatures alone.
    function settleObeys(bool requested, bool disputed) private {
        Vectors memory v = vectors();
        Order memory order = vectorOrder();
        token.transfer(vaultOf(order), order.amount);
        uint256 tried;
        uint256 reached;
        for (uint256 i; i < v.allowed.length; ++i) {
            if ((v.requestedAt[i] != v.never) != requested || (v.disputedAt[i] != v.never) != disputed) continue;
            if (reached == 0) reached = reach(order, v, i);
            if (v.time[i] < reached) continue;
            ++tried;
            attempt(order, START + v.time[i], v.roles[i], v.toBuyer[i], v.allowed[i]);
        }
        vm.assertTrue(tried >= 300);
    }

    /// Makes the refund request and the dispute of vector `i`; returns the time of the last.
    function reach(Order memory order, Vectors memory v, uint256 i) private returns (uint256 time) {
        if (v.requestedAt[i] != v.never) {
            time = v.requestedAt[i];
            vm.warp(START + time);
            requestRefund(order);
        }
        if (v.disputedAt[i] != v.never) {
            time = v.disputedAt[i];
            vm.warp(START + time);
            dispute(order);
        }
    }

    function attempt(Order memory order, uint256 time, uint256 roles, uint256 toBuyer, bool allowed) private {
        bytes memory signed = signatures(order, toBuyer, FOREVER, roles);
        vm.warp(time);
        vm.assertEq(escrow.allows(order, toBuyer, roles), allowed, "allows");
        uint256 before = vm.snapshotState();
        vm.prank(NOBODY);
        try escrow.settle(order, toBuyer, FOREVER, signed) {
            vm.assertTrue(allowed, "settled what the table forbids");
        } catch (bytes memory reason) {
            vm.assertFalse(allowed);
            vm.assertEq(bytes32(bytes4(reason)), bytes32(IEscrow.NotAllowed.selector));
        }
        vm.revertToState(before);
    }

    /// The design's table, on terms and times that the vectors do not have.
    function testFuzz_policyIsTheTable(
        uint8 roles,
        uint8 pick,
        uint128 toBuyer,
        uint64 payBy,
        uint32[3] memory windows,
        uint16 bps,
        State memory state,
        uint64 time
    ) external view {
        Order memory order = makeOrder();
        (order.payBy, order.refundWindow, order.rulingWindow, order.finalWindow) =
            (payBy, windows[0], windows[1], windows[2]);
        order.defaultBuyerBps = bps % 10_001;
        if (pick & 1 != 0) state.disputedAt = 0;
        if (pick & 2 != 0) state.refundRequestedAt = 0;
        uint256 share = [0, order.amount, Policy.defaultToBuyer(order.amount, order), toBuyer][pick >> 6];
        bool expected = Table.allows(roles & 15, share, order.amount, order, state, time);
        vm.assertEq(Policy.allows(roles & 15, share, order.amount, order, state, time), expected, "not the table");
    }
}
