// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role, Settlement} from "../../../contracts/interfaces/IEscrow.sol";
import {Base} from "../Base.sol";
import {OddToken} from "./OddToken.sol";

/// @notice Every odd token through every exit, alone and in a batch. Whatever the token does, a settlement either
/// changes nothing and goes through once the token behaves, or what was not paid is a claim that can be withdrawn
/// then; and to the unit nothing is lost.
contract TokensTest is Base {
    uint256 private constant WAYS = 17;
    uint256 private constant EXITS = 8;
    uint256 private constant GAS = 30_000_000;

    enum Fate {
        Pays,
        PaysAllButTheBuyer,
        Reverts
    }

    OddToken private odd;
    uint64 private salt;

    struct Exit {
        uint256 roles;
        uint256 toBuyer;
    }

    // The table

    function fateOf(OddToken.Way way, uint256 toBuyer) private pure returns (Fate) {
        if (way >= OddToken.Way.FreezesBuyer) return toBuyer == 0 ? Fate.Pays : Fate.PaysAllButTheBuyer;
        return way >= OddToken.Way.AnswersFalse ? Fate.Reverts : Fate.Pays;
    }

    /// Brings the order to the door of an exit: who signs, and for what.
    function prepare(Order memory order, uint256 exit) private returns (Exit memory) {
        uint128 amount = order.amount;
        if (exit == 0) return Exit(SELLER | COORDINATOR, amount);
        if (exit == 1) return Exit(BUYER | COORDINATOR, 0);
        if (exit == 2) return Exit(SELLER | BUYER, amount / 3);
        if (exit >= 5) {
            vm.warp(order.payBy);
            if (exit == 5) return Exit(SELLER | COORDINATOR, 0);
            if (exit == 6) {
                requestRefund(order);
                vm.warp(order.payBy + order.refundWindow);
                return Exit(SELLER, 0);
            }
        }
        dispute(order);
        if (exit == 3) return Exit(BUYER | ARBITRATOR, amount / 2);
        uint256 rulingDue = block.timestamp + order.rulingWindow;
        vm.warp(exit == 4 ? rulingDue : rulingDue + order.finalWindow);
        return exit == 4 ? Exit(SELLER | COORDINATOR, amount / 2) : Exit(0, uint256(amount) * 3_333 / 10_000);
    }

    function oddOrder(uint8 decimals, uint128 amount, uint256 balance) private returns (Order memory order) {
        odd = new OddToken(decimals, buyer);
        order = makeOrder();
        (order.token, order.amount, order.fee, order.salt) = (address(odd), amount, amount / 20, ++salt);
        odd.mint(vaultOf(order), balance);
    }

    // Every way through every exit

    function test_everyWayThroughEveryExit() external {
        for (uint256 exit; exit < EXITS; ++exit) {
            for (uint256 way; way < WAYS; ++way) {
                through(exit, OddToken.Way(way), false);
                through(exit, OddToken.Way(way), true);
            }
        }
    }

    function through(uint256 exit, OddToken.Way way, bool batch) private {
        vm.warp(START);
        Order memory order = oddOrder(6, AMOUNT, AMOUNT + 7);
        Exit memory taken = prepare(order, exit);
        odd.turn(way);
        Fate fate = fateOf(way, taken.toBuyer);
        bool settled = trySettle(order, taken, batch);
        vm.assertEq(settled, fate != Fate.Reverts, "fate");
        if (!settled) {
            requireUntouched(order);
            odd.turn(OddToken.Way.Honest);
            vm.assertTrue(trySettle(order, taken, batch), "healed and still refused");
        } else if (fate == Fate.PaysAllButTheBuyer) {
            claimOnceHealed(order, taken.toBuyer, way);
        }
        vm.assertEq(odd.balanceOf(vaultOf(order)), 0, "left in the vault");
        vm.assertEq(escrow.claimsOf(orderIdOf(order)), 0, "claims left");
        requirePaid(order, taken.toBuyer, way == OddToken.Way.TakesAFee && settled);
        requireTombstone(order, taken);
        sweepsLate(order);
    }

    function trySettle(Order memory order, Exit memory taken, bool batch) private returns (bool done) {
        bytes memory signed = signatures(order, taken.toBuyer, FOREVER, taken.roles);
        if (batch) {
            Settlement[] memory items = new Settlement[](1);
            items[0] = Settlement(order, taken.toBuyer, FOREVER, signed);
            return escrow.settleBatch{gas: GAS}(items)[0];
        }
        bytes memory call = abi.encodeCall(escrow.settle, (order, taken.toBuyer, FOREVER, signed));
        (done,) = address(escrow).call{gas: GAS}(call);
    }

    function requireUntouched(Order memory order) private view {
        vm.assertEq(vaultOf(order).code.length, 0);
        vm.assertEq(odd.balanceOf(vaultOf(order)), AMOUNT + 7);
        vm.assertEq(escrow.claimsOf(orderIdOf(order)), 0);
    }

    /// A token that pays and says that it did not is believed: the claim then stands on nothing, in its own vault.
    function claimOnceHealed(Order memory order, uint256 toBuyer, OddToken.Way way) private {
        uint256 due = toBuyer - order.fee * toBuyer / AMOUNT;
        vm.assertEq(escrow.claimOf(orderIdOf(order), buyer), due);
        vm.assertEq(escrow.claimsOf(orderIdOf(order)), due);
        odd.turn(OddToken.Way.Honest);
        if (way == OddToken.Way.AnswersTwoToBuyer) {
            vm.assertEq(odd.balanceOf(buyer), due);
            odd.rebase(buyer, 0);
            odd.rebase(vaultOf(order), due);
        }
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
    }

    function requirePaid(Order memory order, uint256 toBuyer, bool taxed) private {
        uint256 fee = order.fee * toBuyer / AMOUNT;
        requireHas(buyer, toBuyer - fee, taxed);
        requireHas(TREASURY, fee, taxed);
        requireHas(seller, AMOUNT + 7 - toBuyer, taxed);
    }

    function requireHas(address account, uint256 amount, bool taxed) private {
        vm.assertEq(odd.balanceOf(account), taxed ? amount - amount / 100 : amount);
        odd.rebase(account, 0);
    }

    function requireTombstone(Order memory order, Exit memory taken) private {
        vm.assertEq(vaultOf(order).code.length, 39);
        odd.mint(vaultOf(order), 5);
        vm.assertFalse(trySettle(order, taken, false));
        vm.assertFalse(trySettle(order, Exit(15, taken.toBuyer), false));
    }

    function sweepsLate(Order memory order) private {
        odd.turn(OddToken.Way.Reverts);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TransferRefused.selector, address(odd), seller, 5));
        escrow.sweep(order, address(odd));
        odd.turn(OddToken.Way.AnswersNothing);
        escrow.sweep(order, address(odd));
        vm.assertEq(odd.balanceOf(seller), 5);
    }

    // Amounts

    function test_everyAmountThroughEveryExit() external {
        uint128[7] memory amounts =
            [1, 3, 1_000, 1_000e6, 1_000e18, 100 * 10 ** 36, type(uint128).max];
        uint8[7] memory decimals = [0, 0, 0, 6, 18, 36, 36];
        for (uint256 exit; exit < EXITS; ++exit) {
            for (uint256 i; i < 7; ++i) {
                amountThrough(exit, decimals[i], amounts[i], amounts[i]);
                amountThrough(exit, decimals[i], amounts[i], FOREVER);
            }
        }
    }

    function amountThrough(uint256 exit, uint8 decimals, uint128 amount, uint256 balance) private {
        vm.warp(START);
        Order memory order = oddOrder(decimals, amount, balance);
        Exit memory taken = prepare(order, exit);
        vm.assertTrue(trySettle(order, taken, false), "refused");
        vm.assertEq(odd.balanceOf(vaultOf(order)), 0);
        vm.assertEq(odd.balanceOf(buyer) + odd.balanceOf(TREASURY), taken.toBuyer);
        vm.assertEq(odd.balanceOf(seller), balance - taken.toBuyer);
        vm.assertTrue(odd.balanceOf(TREASURY) <= taken.toBuyer / 20, "fee over the cap");
    }

    // Callbacks

    /// During a payout the token tries every verb with everybody's signatures: none of those that move money works.
    function test_noVerbIsReentered() external {
        Order memory order = oddOrder(6, AMOUNT, AMOUNT);
        Order memory other = makeOrder();
        (other.token, other.salt) = (address(odd), ++salt);
        odd.mint(vaultOf(other), AMOUNT);
        bytes memory all = signatures(other, AMOUNT, FOREVER, 15);
        Settlement[] memory items = new Settlement[](1);
        items[0] = Settlement(other, AMOUNT, FOREVER, all);
        odd.callBack(address(escrow), abi.encodeCall(escrow.settle, (other, AMOUNT, FOREVER, all)));
        odd.callBack(address(escrow), abi.encodeCall(escrow.sweep, (order, address(odd))));
        odd.callBack(address(escrow), abi.encodeCall(escrow.claim, (order, address(odd), 0, "")));
        bytes memory signature = sign(Role.Buyer, disputeDigest(order));
        odd.callBack(address(escrow), abi.encodeCall(escrow.dispute, (order, Role.Buyer, signature)));
        vm.warp(order.payBy);
        signature = sign(Role.Seller, refundRequestDigest(order));
        odd.callBack(address(escrow), abi.encodeCall(escrow.requestRefund, (order, signature)));
        odd.turn(OddToken.Way.Reenters);
        settle(order, AMOUNT, SELLER | COORDINATOR);
        vm.assertEq(odd.entered(), 0);
        vm.assertEq(odd.balanceOf(vaultOf(other)), AMOUNT);
    }

    /// A batch is taken by a callback, but each of its items is refused.
    function test_aReenteredBatchSettlesNothing() external {
        Order memory order = oddOrder(6, AMOUNT, 2 * AMOUNT);
        Order memory other = makeOrder();
        other.salt = ++salt;
        token.transfer(vaultOf(other), AMOUNT);
        Settlement[] memory items = new Settlement[](1);
        items[0] = Settlement(other, AMOUNT, FOREVER, signatures(other, AMOUNT, FOREVER, 15));
        odd.callBack(address(escrow), abi.encodeCall(escrow.settleBatch, (items)));
        odd.turn(OddToken.Way.Reenters);
        settle(order, AMOUNT, SELLER | COORDINATOR);
        vm.assertEq(odd.entered(), 3);
        vm.assertEq(vaultOf(other).code.length, 0);
    }

    /// A sweep and a claim, reentered by their own token, pay once.
    function test_claimAndSweepPayOnce() external {
        Order memory order = oddOrder(6, AMOUNT, AMOUNT);
        odd.turn(OddToken.Way.FreezesBuyer);
        settle(order, AMOUNT / 2, SELLER | BUYER);
        uint256 due = escrow.claimOf(orderIdOf(order), buyer);
        odd.mint(vaultOf(order), 11);
        odd.callBack(address(escrow), abi.encodeCall(escrow.sweep, (order, address(odd))));
        odd.turn(OddToken.Way.Reenters);
        uint256 before = odd.balanceOf(seller);
        escrow.sweep(order, address(odd));
        vm.assertEq(odd.balanceOf(seller) - before, 11);
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
        vm.assertEq(odd.balanceOf(buyer), due);
        vm.assertEq(odd.balanceOf(vaultOf(order)), 0);
        vm.assertEq(odd.entered(), 0);
    }

    /// Tokens with a hook before the transfer call back while the vault still holds what is being claimed: a sweep
    /// then would take it for a surplus.
    function test_aClaimIsNotSweptFromUnderItsOwner() external {
        Order memory order = oddOrder(6, AMOUNT, AMOUNT);
        odd.turn(OddToken.Way.FreezesBuyer);
        settle(order, AMOUNT / 2, SELLER | BUYER);
        uint256 due = escrow.claimOf(orderIdOf(order), buyer);
        odd.callBack(address(escrow), abi.encodeCall(escrow.sweep, (order, address(odd))));
        odd.turn(OddToken.Way.ReentersFirst);
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
        vm.assertEq(odd.entered(), 0);
        vm.assertEq(odd.balanceOf(buyer), due);
    }

    // Rebasing

    /// What a claim stands on may shrink: it is refused until it is there again, and is never lost.
    function test_aShrunkenClaimWaits() external {
        Order memory order = oddOrder(6, AMOUNT, AMOUNT);
        odd.turn(OddToken.Way.FreezesBuyer);
        settle(order, AMOUNT / 2, SELLER | BUYER);
        uint256 due = escrow.claimOf(orderIdOf(order), buyer);
        odd.turn(OddToken.Way.Honest);
        odd.rebase(vaultOf(order), due - 1);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TransferRefused.selector, address(odd), buyer, due));
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IEscrow.NothingToSweep.selector, orderIdOf(order), address(odd)));
        escrow.sweep(order, address(odd));
        odd.rebase(vaultOf(order), due + 3);
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
        escrow.sweep(order, address(odd));
        vm.assertEq(odd.balanceOf(buyer), due);
        vm.assertEq(odd.balanceOf(vaultOf(order)), 0);
    }
}
