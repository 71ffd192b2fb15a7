// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role, Settlement} from "../../../contracts/interfaces/IEscrow.sol";
import {RefusingToken} from "../../../contracts/mocks/RefusingToken.sol";
import {Permits} from "../Permits.sol";
import {OddToken} from "./OddToken.sol";

/// @notice Every odd token through every exit, claim and sweep, alone and in a batch. Whatever the token does, a step
/// either changes nothing and goes through once the token behaves, or what was not paid is a claim that can be
/// withdrawn then; and to the unit nothing is lost. A token that calls back enters no verb that moves money.
contract TokensTest is Permits {
    uint256 private constant EXITS = 8;
    uint256 private constant SPLIT = 2;
    uint256 private constant DEFAULT = 7;
    /// The ways that treat all recipients alike, and for each of the three the ways that single out one.
    uint256 private constant ALIKE = uint256(OddToken.Way.FreezesRecipient);
    uint256 private constant MANNERS = ALIKE + 3 * 3;
    uint256 private constant SURPLUS = 7;
    uint256 private constant LATE = 500;
    uint256 private constant GAS = 30_000_000;

    struct Case {
        Order order;
        OddToken odd;
        OddToken.Way way;
        address one;
        uint256 balance;
        uint256 roles;
        uint256 toBuyer;
    }

    uint64 private salt;
    /// Funded, and all four sign for its release.
    Order private open;
    /// Settled, and tokens arrived late.
    Order private late;

    function setUp() public override {
        super.setUp();
        installPermit2();
        open = next(address(token));
        token.transfer(vaultOf(open), AMOUNT);
        late = settledNext();
        token.transfer(vaultOf(late), LATE);
    }

    function next(address token_) private returns (Order memory order) {
        order = makeOrder();
        (order.token, order.salt) = (token_, ++salt);
    }

    function settledNext() private returns (Order memory order) {
        order = next(address(token));
        settle(order, 0, BUYER | COORDINATOR);
    }

    // The table

    /// Those whom a settlement pays, and what each is due.
    function payees() private view returns (address[3] memory) {
        return [buyer, TREASURY, seller];
    }

    function dues(Case memory c) private pure returns (uint256[3] memory) {
        uint256 fee = uint256(c.order.fee) * c.toBuyer / c.order.amount;
        return [c.toBuyer - fee, fee, c.balance - c.toBuyer];
    }

    function pays(Case memory c, address to) private pure returns (bool) {
        if (c.way >= OddToken.Way.FreezesRecipient) return to != c.one;
        return c.way < OddToken.Way.AnswersFalse;
    }

    /// What of it the token refuses.
    function refused(Case memory c) private view returns (uint256[3] memory owed, uint256 sum) {
        owed = dues(c);
        for (uint256 k; k < 3; ++k) {
            if (pays(c, payees()[k])) owed[k] = 0;
            sum += owed[k];
        }
    }

    function received(Case memory c, uint256 amount) private pure returns (uint256) {
        return c.way == OddToken.Way.TakesAFee ? amount - amount / 100 : amount;
    }

    // The cases

    /// An order at the door of an exit, its token turned odd.
    function begin(uint256 exit, uint256 manner, uint8 decimals, uint128 amount, uint256 balance)
        private
        returns (Case memory c)
    {
        vm.warp(START);
        c.odd = new OddToken(decimals);
        c.order = next(address(c.odd));
        (c.order.amount, c.order.fee, c.balance) = (amount, amount / 20, balance);
        c.odd.mint(vaultOf(c.order), balance);
        (c.roles, c.toBuyer) = prepare(c.order, exit);
        turn(c, manner);
    }

    function begin(uint256 exit, uint256 manner) private returns (Case memory) {
        return begin(exit, manner, 6, AMOUNT, AMOUNT + SURPLUS);
    }

    /// Who signs there, and for what.
    function prepare(Order memory order, uint256 exit) private returns (uint256 roles, uint256 toBuyer) {
        uint128 amount = order.amount;
        if (exit == 0) return (SELLER | COORDINATOR, amount);
        if (exit == 1) return (BUYER | COORDINATOR, 0);
        if (exit == SPLIT) return (SELLER | BUYER, amount / 3);
        if (exit >= 5) {
            vm.warp(order.payBy);
            if (exit == 5) return (SELLER | COORDINATOR, 0);
            if (exit == 6) {
                requestRefund(order);
                vm.warp(order.payBy + order.refundWindow);
                return (SELLER, 0);
            }
        }
        dispute(order);
        if (exit == 3) return (BUYER | ARBITRATOR, amount / 2);
        uint256 rulingDue = block.timestamp + order.rulingWindow;
        vm.warp(exit == 4 ? rulingDue : rulingDue + order.finalWindow);
        if (exit == 4) return (SELLER | COORDINATOR, amount / 2);
        return (0, defaultShare(amount));
    }

    function defaultShare(uint256 base) private pure returns (uint256) {
        return base * 3_333 / 10_000;
    }

    function turn(Case memory c, uint256 manner) private {
        c.way = OddToken.Way(manner < ALIKE ? manner : ALIKE + (manner - ALIKE) / 3);
        c.one = manner < ALIKE ? vaultOf(c.order) : payees()[(manner - ALIKE) % 3];
        c.odd.turn(c.way, c.one);
        if (c.way == OddToken.Way.Reenters || c.way == OddToken.Way.ReentersFirst) arm(c);
    }

    function heal(Case memory c) private {
        c.way = OddToken.Way.Honest;
        c.odd.turn(c.way, address(0));
    }

    /// The token will try every verb that moves money or starts a clock, with whatever signatures those take; it is
    /// owed a fee itself. `settleBatch`, `dispute` and `publish` it may enter: see below.
    function arm(Case memory c) private {
        bytes memory all = signatures(open, AMOUNT, FOREVER, 15);
        bytes memory request = sign(Role.Seller, refundRequestDigest(c.order));
        bytes memory permitted = permit(Role.Seller, c.order, address(escrow), c.order.salt, FOREVER);
        c.odd.callBack(address(escrow), abi.encodeCall(escrow.settle, (open, AMOUNT, FOREVER, all)));
        c.odd.callBack(address(escrow), abi.encodeCall(escrow.sweep, (c.order, address(c.odd))));
        c.odd.callBack(address(escrow), abi.encodeCall(escrow.sweep, (late, address(token))));
        c.odd.callBack(
            address(escrow), abi.encodeCall(escrow.claim, (orderOwing(address(c.odd)), address(c.odd), 0, ""))
        );
        c.odd.callBack(address(escrow), abi.encodeCall(escrow.requestRefund, (c.order, request)));
        c.odd.callBack(
            address(escrow), abi.encodeCall(escrow.fundWithPermit2, (c.order, c.order.salt, FOREVER, permitted))
        );
    }

    /// An order whose fee `owner` could withdraw at once.
    function orderOwing(address owner) private returns (Order memory order) {
        RefusingToken refusing = new RefusingToken();
        order = next(address(refusing));
        order.feeRecipient = owner;
        refusing.mint(vaultOf(order), AMOUNT);
        refusing.setManner(owner, RefusingToken.Manner.Revert);
        settle(order, AMOUNT, SELLER | BUYER);
        refusing.setManner(owner, RefusingToken.Manner.Accept);
        vm.assertEq(escrow.claimOf(orderIdOf(order), owner), FEE);
    }

    // Every way through every exit

    function test_everyWayThroughEveryExit() external {
        for (uint256 exit; exit < EXITS; ++exit) {
            for (uint256 manner; manner < MANNERS; ++manner) {
                through(begin(exit, manner));
            }
        }
    }

    /// Of tokens with 0, 18 and 36 decimals (6 are above): honest, taking a fee, and freezing one of the three.
    function test_everyAmountThroughEveryExit() external {
        uint8[5] memory decimals = [0, 0, 18, 36, 36];
        uint128[5] memory amounts = [1, 3, 1_000e18, 100 * 10 ** 36, type(uint128).max];
        uint256[5] memory manners =
            [uint256(OddToken.Way.Honest), uint256(OddToken.Way.TakesAFee), ALIKE, ALIKE + 1, ALIKE + 2];
        for (uint256 exit; exit < EXITS; ++exit) {
            for (uint256 i; i < 5 * 5; ++i) {
                uint128 amount = amounts[i / 5];
                this.amountThrough(exit, manners[i % 5], decimals[i / 5], amount, amount);
                this.amountThrough(exit, manners[i % 5], decimals[i / 5], amount, FOREVER);
            }
        }
    }

    /// External, so that each begins with empty memory: what grows costs gas.
    function amountThrough(uint256 exit, uint256 manner, uint8 decimals, uint128 amount, uint256 balance) external {
        through(begin(exit, manner, decimals, amount, balance));
    }

    function through(Case memory c) private {
        (, uint256 owed) = refused(c);
        (bool done, bytes memory reason) = trySettle(c);
        vm.assertEq(done, owed < c.balance, "fate");
        if (!done) {
            // The one that burns gas leaves too little to tell.
            if (c.way != OddToken.Way.BurnsGas) {
                vm.assertEq(reason, abi.encodeWithSelector(IEscrow.NothingPaid.selector, orderIdOf(c.order), c.odd));
            }
            requireUntouched(c);
            heal(c);
            (done,) = trySettle(c);
            vm.assertTrue(done, "healed and still refused");
        }
        requireEnded(c);
    }

    function trySettle(Case memory c) private returns (bool, bytes memory) {
        return trySettle(c, c.roles, GAS);
    }

    function trySettle(Case memory c, uint256 roles, uint256 gas) private returns (bool, bytes memory) {
        bytes memory signed = signatures(c.order, c.toBuyer, FOREVER, roles);
        bytes memory call = abi.encodeCall(escrow.settle, (c.order, c.toBuyer, FOREVER, signed));
        return address(escrow).call{gas: gas}(call);
    }

    function requireUntouched(Case memory c) private view {
        vm.assertEq(vaultOf(c.order).code.length, 0);
        vm.assertEq(c.odd.balanceOf(vaultOf(c.order)), c.balance);
        vm.assertEq(escrow.claimsOf(orderIdOf(c.order)), 0);
    }

    /// Paid to the unit; what was refused is withdrawn once the token behaves; what comes later is swept.
    function requireEnded(Case memory c) private {
        address vault = vaultOf(c.order);
        vm.assertEq(c.odd.entered(), 0, "a verb was entered");
        requirePaid(c);
        heal(c);
        for (uint256 k; k < 3; ++k) {
            if (escrow.claimOf(orderIdOf(c.order), payees()[k]) != 0) withdraw(c, payees()[k]);
            c.odd.rebase(payees()[k], 0);
        }
        vm.assertEq(c.odd.balanceOf(vault), 0, "left in the vault");
        vm.assertEq(escrow.claimsOf(orderIdOf(c.order)), 0, "claims left");

        vm.assertEq(vault.code.length, 39);
        c.odd.mint(vault, LATE);
        // Code over code takes all the gas there is.
        (bool done,) = trySettle(c, c.roles, GAS / 30);
        vm.assertFalse(done);
        (done,) = trySettle(c, 15, GAS / 30);
        vm.assertFalse(done);
        escrow.sweep(c.order, address(c.odd));
        vm.assertEq(c.odd.balanceOf(seller), LATE);
    }

    /// A token that pays and says that it did not is believed: the claim then stands on nothing, in its own vault.
    function requirePaid(Case memory c) private {
        uint256[3] memory due = dues(c);
        (uint256[3] memory owed, uint256 sum) = refused(c);
        bool lied = c.way == OddToken.Way.AnswersTwoToRecipient;
        vm.assertEq(escrow.claimsOf(orderIdOf(c.order)), sum);
        for (uint256 k; k < 3; ++k) {
            address payee = payees()[k];
            vm.assertEq(escrow.claimOf(orderIdOf(c.order), payee), owed[k]);
            vm.assertEq(c.odd.balanceOf(payee), received(c, lied ? due[k] : due[k] - owed[k]));
            if (lied && owed[k] != 0) {
                c.odd.rebase(payee, 0);
                c.odd.rebase(vaultOf(c.order), owed[k]);
            }
        }
    }

    function withdraw(Case memory c, address owner) private {
        uint256 due = escrow.claimOf(orderIdOf(c.order), owner);
        vm.prank(owner);
        escrow.claim(c.order, owner, 0, "");
        vm.assertEq(c.odd.balanceOf(owner), due);
    }

    // Batches

    /// An order of every odd token in one batch: each has the fate that it has alone, and those that failed go
    /// through in the next batch.
    function test_everyWayInOneBatch() external {
        for (uint256 exit; exit < EXITS; ++exit) {
            Case[] memory cases = new Case[](MANNERS);
            for (uint256 i; i < MANNERS; ++i) {
                cases[i] = begin(exit, i);
            }
            bool[] memory settled = settleAll(cases);
            for (uint256 i; i < MANNERS; ++i) {
                (, uint256 owed) = refused(cases[i]);
                vm.assertEq(settled[i], owed < cases[i].balance, "fate");
                if (settled[i]) continue;
                requireUntouched(cases[i]);
                heal(cases[i]);
            }
            bool[] memory again = settleAll(cases);
            for (uint256 i; i < MANNERS; ++i) {
                vm.assertEq(again[i], !settled[i], "healed and still refused");
                requireEnded(cases[i]);
            }
        }
    }

    function settleAll(Case[] memory cases) private returns (bool[] memory) {
        Settlement[] memory items = new Settlement[](cases.length);
        for (uint256 i; i < cases.length; ++i) {
            Case memory c = cases[i];
            bytes memory signed = signatures(c.order, c.toBuyer, FOREVER, c.roles);
            items[i] = Settlement(c.order, c.toBuyer, FOREVER, signed);
        }
        return escrow.settleBatch{gas: 4 * GAS}(items);
    }

    /// A frozen vault holds up its own order; a paused token all of its orders.
    function test_aFreezeIsOfOneVaultAndAPauseOfAll() external {
        for (uint256 i; i < 2; ++i) {
            Case[] memory cases = new Case[](2);
            cases[0] = begin(0, uint256(i == 0 ? OddToken.Way.FreezesSender : OddToken.Way.IsPaused));
            cases[1] = begin(0, 0);
            (cases[1].odd, cases[1].order.token) = (cases[0].odd, address(cases[0].odd));
            cases[0].odd.mint(vaultOf(cases[1].order), AMOUNT);
            bool[] memory settled = settleAll(cases);
            vm.assertFalse(settled[0]);
            vm.assertEq(settled[1], i == 0, "the other order");
            heal(cases[0]);
            settled = settleAll(cases);
            vm.assertTrue(settled[0]);
            vm.assertEq(settled[1], i == 1, "settled twice");
        }
    }

    // Every way through a claim and a sweep

    function test_everyWayThroughAClaim() external {
        for (uint256 i; i < 3 * MANNERS; ++i) {
            claimThrough(i / MANNERS, i % MANNERS, false);
            claimThrough(i / MANNERS, i % MANNERS, true);
        }
    }

    /// A split that the token paid to all but one.
    function owing(uint256 who) private returns (Case memory c) {
        c = begin(SPLIT, ALIKE + who);
        (bool done,) = trySettle(c);
        vm.assertTrue(done);
    }

    function claimThrough(uint256 who, uint256 manner, bool elsewhere) private {
        Case memory c = owing(who);
        turn(c, manner);
        address owner = payees()[who];
        address to = elsewhere ? NOBODY : owner;
        uint256 due = dues(c)[who];
        bytes memory consent = sign(Role.Coordinator, claimToDigest(c.order, owner, to, FOREVER));
        bytes memory call = abi.encodeCall(escrow.claim, (c.order, to, FOREVER, consent));
        moves(c, call, owner, to, due);
        vm.assertEq(c.odd.balanceOf(to), received(c, due));
        vm.assertEq(c.odd.balanceOf(vaultOf(c.order)), 0);
        vm.assertEq(escrow.claimsOf(orderIdOf(c.order)), 0);
    }

    function test_everyWayThroughASweep() external {
        for (uint256 manner; manner < MANNERS; ++manner) {
            sweepThrough(owing(0), manner);
            Case memory foreign;
            (foreign.order, foreign.odd) = (settledNext(), new OddToken(6));
            sweepThrough(foreign, manner);
        }
    }

    function sweepThrough(Case memory c, uint256 manner) private {
        address vault = vaultOf(c.order);
        uint256 owed = escrow.claimsOf(orderIdOf(c.order));
        c.odd.mint(vault, LATE);
        c.odd.rebase(seller, 0);
        turn(c, manner);
        moves(c, abi.encodeCall(escrow.sweep, (c.order, address(c.odd))), NOBODY, seller, LATE);
        vm.assertEq(c.odd.balanceOf(seller), received(c, LATE));
        vm.assertEq(c.odd.balanceOf(vault), owed);
        vm.assertEq(escrow.claimsOf(orderIdOf(c.order)), owed);
    }

    /// `call` goes through if the token pays `to`; else it changes nothing, and does once the token behaves.
    function moves(Case memory c, bytes memory call, address by, address to, uint256 amount) private {
        uint256 owed = escrow.claimsOf(orderIdOf(c.order));
        uint256 held = c.odd.balanceOf(vaultOf(c.order));
        vm.prank(by);
        (bool done, bytes memory reason) = address(escrow).call{gas: GAS}(call);
        vm.assertEq(done, pays(c, to), "fate");
        if (!done) {
            vm.assertEq(reason, abi.encodeWithSelector(IEscrow.TransferRefused.selector, c.odd, to, amount));
            vm.assertEq(escrow.claimsOf(orderIdOf(c.order)), owed);
            vm.assertEq(c.odd.balanceOf(vaultOf(c.order)), held);
            heal(c);
            vm.prank(by);
            (done,) = address(escrow).call{gas: GAS}(call);
            vm.assertTrue(done, "healed and still refused");
        }
        vm.assertEq(c.odd.entered(), 0, "a verb was entered");
    }

    // Callbacks

    /// What a callback may enter moves nothing: a batch, whose items are refused; a dispute of the order that is being
    /// settled, which ends with it; and the terms' publication.
    function test_whatACallbackEntersMovesNothing() external {
        Case memory c = begin(SPLIT, 0);
        Settlement[] memory items = new Settlement[](1);
        items[0] = Settlement(open, AMOUNT, FOREVER, signatures(open, AMOUNT, FOREVER, 15));
        bytes memory signature = sign(Role.Buyer, disputeDigest(c.order));
        c.odd.callBack(address(escrow), abi.encodeCall(escrow.settleBatch, (items)));
        c.odd.callBack(address(escrow), abi.encodeCall(escrow.publish, (open)));
        c.odd.callBack(address(escrow), abi.encodeCall(escrow.dispute, (c.order, Role.Buyer, signature)));
        c.odd.turn(OddToken.Way.ReentersFirst, address(0));
        (bool done,) = trySettle(c);
        vm.assertTrue(done);
        // Batch and publication at each of three payouts, the dispute at the first.
        vm.assertEq(c.odd.entered(), 7);
        requirePaid(c);
        vm.assertEq(vaultOf(open).code.length, 0);
        vm.assertEq(token.balanceOf(vaultOf(open)), AMOUNT);
    }

    // Rebasing

    /// Down, a vault pays what is there to the seller, as both traders signed if it can, or by the default share;
    /// the others once it is whole again. Up, the seller has the surplus.
    function test_rebasingDownAndUpAtEveryExit() external {
        uint256[6] memory balances = [0, 1, AMOUNT / 2, AMOUNT - 1, AMOUNT + 9, FOREVER];
        for (uint256 exit; exit < EXITS; ++exit) {
            for (uint256 i; i < balances.length; ++i) {
                rebased(exit, balances[i]);
            }
        }
    }

    function rebased(uint256 exit, uint256 balance) private {
        Case memory c = begin(exit, 0);
        c.balance = balance;
        c.odd.rebase(vaultOf(c.order), balance);
        if (exit == DEFAULT) c.toBuyer = defaultShare(balance < AMOUNT ? balance : AMOUNT);
        uint256 needed = exit == DEFAULT || c.toBuyer == 0 ? 0 : exit == SPLIT ? c.toBuyer : AMOUNT;
        (bool done, bytes memory reason) = trySettle(c);
        vm.assertEq(done, balance >= needed, "fate");
        if (!done) {
            vm.assertEq(
                reason, abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(c.order), balance, needed)
            );
            c.balance = AMOUNT;
            c.odd.rebase(vaultOf(c.order), AMOUNT);
            (done,) = trySettle(c);
            vm.assertTrue(done, "whole and still refused");
        }
        requireEnded(c);
    }

    /// What a claim stands on may shrink: it is refused until it is there again, and is never lost.
    function test_aShrunkenClaimWaits() external {
        Case memory c = owing(0);
        heal(c);
        address vault = vaultOf(c.order);
        uint256 due = escrow.claimOf(orderIdOf(c.order), buyer);
        c.odd.rebase(vault, due - 1);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TransferRefused.selector, c.odd, buyer, due));
        vm.prank(buyer);
        escrow.claim(c.order, buyer, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IEscrow.NothingToSweep.selector, orderIdOf(c.order), c.odd));
        escrow.sweep(c.order, address(c.odd));
        c.odd.rebase(vault, due + 3);
        withdraw(c, buyer);
        escrow.sweep(c.order, address(c.odd));
        vm.assertEq(c.odd.balanceOf(vault), 0);
    }
}
