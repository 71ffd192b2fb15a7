// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role, Settlement, State} from "../../../contracts/interfaces/IEscrow.sol";
import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {RefusingToken} from "../../../contracts/mocks/RefusingToken.sol";
import {Books} from "./Books.sol";

/// @notice Acts on a few orders as everybody at once, and keeps books of its own. An action that the contracts should
/// take must be taken, one that they should refuse must be refused: each says beforehand which, and what settles is
/// read from the design's table (Table.sol). No action ever reverts, so `fail_on_revert` tells an unexpected answer
/// either way. After every action either trader alone must be able to end the orders that it touched; what the books
/// say is compared in Escrow.t.sol.
contract Handler is Books {
    constructor() {
        for (uint256 i; i < ORDERS; ++i) {
            deposit(i, 0);
        }
    }

    // Actions

    /// No other order's vault, state or claims may be changed by an action on `i` and `j`; these two can be ended.
    modifier only(uint256 i, uint256 j) {
        vm.warp(time);
        bytes32[ORDERS] memory before = digests();
        _;
        requireSame(before, i % ORDERS, j % ORDERS);
        endsAlone(i % ORDERS);
        if (i % ORDERS != j % ORDERS) endsAlone(j % ORDERS);
    }

    /// Nothing may change at all.
    modifier nothing() {
        vm.warp(time);
        bytes32[ORDERS] memory before = digests();
        _;
        requireSame(before, ORDERS, ORDERS);
    }

    function deposit(uint256 i, uint256 amount) public only(i, i) {
        i %= ORDERS;
        Order memory order = orders[i];
        if (amount % 2 == 0) amount = order.amount;
        else if (amount % 3 == 0) amount = order.amount - 1;
        else amount %= 1_000_000;
        uint256 before = balanceOf(i);
        if (order.token == address(refusing)) refusing.mint(vault[i], amount);
        else if (!token.paused()) token.transfer(vault[i], amount);
        arrived[i] += balanceOf(i) - before;
    }

    /// The seller's permit, with what was received or with more; only one of the two tokens has approvals.
    function fundWithPermit2(uint256 i, bool more) external only(i, i) {
        i %= ORDERS;
        Order memory order = orders[i];
        if (more && !token.paused()) {
            uint256 before = token.balanceOf(seller);
            token.transfer(seller, 2 * order.amount);
            received[address(token)][seller] += token.balanceOf(seller) - before;
        }
        bool expected = settlements[i] == 0 && order.token == address(token) && !token.paused()
            && token.balanceOf(seller) >= order.amount;
        uint256 held = balanceOf(i);
        bytes memory signature = permit(Role.Seller, order, address(escrow), ++permits, FOREVER);
        vm.prank(NOBODY);
        (bool done,) = address(escrow).call(
            abi.encodeCall(escrow.fundWithPermit2, (order, permits, FOREVER, signature))
        );
        vm.assertEq(done, expected, "fundWithPermit2");
        if (!done) return;
        received[address(token)][seller] -= order.amount;
        arrived[i] += balanceOf(i) - held;
    }

    /// The other token, or the native coin, strays into a vault.
    function stray(uint256 i, bool native, uint256 amount) external only(i, i) {
        i %= ORDERS;
        amount %= 1_000_000;
        if (native) {
            coins[i] += amount;
            vm.deal(vault[i], coins[i]);
            return;
        }
        uint256 before = balanceIn(foreign(i), vault[i]);
        if (foreign(i) == address(refusing)) refusing.mint(vault[i], amount);
        else if (!token.paused()) token.transfer(vault[i], amount);
        strays[i] += balanceIn(foreign(i), vault[i]) - before;
    }

    function pass(uint256 period) external {
        time += period % 400;
    }

    function requestRefund(uint256 i) external only(i, i) {
        i %= ORDERS;
        Order memory order = orders[i];
        State memory state = escrow.stateOf(ids[i]);
        bool expected = settlements[i] == 0 && time >= order.payBy && state.disputedAt == 0
            && state.refundRequestedAt == 0;
        vm.prank(seller);
        (bool done,) = address(escrow).call(abi.encodeCall(escrow.requestRefund, (order, "")));
        vm.assertEq(done, expected, "requestRefund");
    }

    function dispute(uint256 i, bool byBuyer) external only(i, i) {
        i %= ORDERS;
        Order memory order = orders[i];
        State memory state = escrow.stateOf(ids[i]);
        bool expected = i != UNUSABLE && state.disputedAt == 0 && balanceOf(i) >= order.amount;
        vm.prank(byBuyer ? buyer : seller);
        Role by = byBuyer ? Role.Buyer : Role.Seller;
        (bool done,) = address(escrow).call(abi.encodeCall(escrow.dispute, (order, by, "")));
        vm.assertEq(done, expected, "dispute");
    }

    function settle(uint256 i, uint256 roles, uint256 pick) external only(i, i) {
        i %= ORDERS;
        Attempt memory attempt = attemptOf(i, likely(roles), pick);
        bytes memory signed = signatures(orders[i], attempt.toBuyer, attempt.validUntil, attempt.roles);
        bool expected = shouldSettle(i, attempt);
        vm.prank(NOBODY);
        (bool done,) = address(escrow).call(
            abi.encodeCall(escrow.settle, (orders[i], attempt.toBuyer, attempt.validUntil, signed))
        );
        vm.assertEq(done, expected, "settle");
        if (done) book(i, attempt);
    }

    function settleBatch(uint256 i, uint256 j, uint256 roles, uint256 pick) external only(i, j) {
        uint256[2] memory indexes = [i % ORDERS, j % ORDERS];
        Settlement[] memory items = new Settlement[](2);
        Attempt[2] memory attempts;
        bool[2] memory expected;
        for (uint256 k; k < 2; ++k) {
            Attempt memory attempt = attemptOf(indexes[k], likely(roles >> (8 * k)), pick);
            Order memory order = orders[indexes[k]];
            bytes memory signed = signatures(order, attempt.toBuyer, attempt.validUntil, attempt.roles);
            items[k] = Settlement(order, attempt.toBuyer, attempt.validUntil, signed);
            attempts[k] = attempt;
            expected[k] = shouldSettle(indexes[k], attempt);
        }
        if (indexes[0] == indexes[1] && expected[0]) expected[1] = false;
        vm.prank(NOBODY);
        bool[] memory settled = escrow.settleBatch(items);
        for (uint256 k; k < 2; ++k) {
            vm.assertEq(settled[k], expected[k], "settleBatch");
            if (settled[k]) book(indexes[k], attempts[k]);
        }
    }

    function claim(uint256 i, uint256 who, bool elsewhere) external {
        (i, who) = likelyClaim(i, who);
        claimOne(i, owners()[who], elsewhere);
    }

    function claimOne(uint256 i, address owner, bool elsewhere) private only(i, i) {
        Order memory order = orders[i];
        uint256 amount = owed[i][owner];
        address to = elsewhere ? ELSEWHERE : owner;
        bool expected = amount != 0 && !refuses(i, to);
        bytes memory consent = sign(Role.Coordinator, claimToDigest(order, owner, to, FOREVER));
        vm.prank(owner);
        (bool done,) = address(escrow).call(abi.encodeCall(escrow.claim, (order, to, FOREVER, consent)));
        vm.assertEq(done, expected, "claim");
        if (!done) return;
        owed[i][owner] = 0;
        pay(i, to, amount);
    }

    function sweep(uint256 i) external only(i, i) {
        i %= ORDERS;
        uint256 balance = balanceOf(i);
        uint256 kept = owedOf(i);
        bool expected = settlements[i] != 0 && balance > kept && !refuses(i, seller);
        vm.prank(NOBODY);
        (bool done,) = address(escrow).call(abi.encodeCall(escrow.sweep, (orders[i], orders[i].token)));
        vm.assertEq(done, expected, "sweep");
        if (done) pay(i, seller, balance - kept);
    }

    function sweepStrays(uint256 i, bool native) external only(i, i) {
        i %= ORDERS;
        address what = native ? address(0) : foreign(i);
        uint256 amount = native ? coins[i] : strays[i];
        bool expected = settlements[i] != 0 && amount != 0 && (native || !refuses(what, i, seller));
        vm.prank(NOBODY);
        (bool done,) = address(escrow).call(abi.encodeCall(escrow.sweep, (orders[i], what)));
        vm.assertEq(done, expected, "sweepStrays");
        if (!done) return;
        if (native) coins[i] = 0;
        else strays[i] = 0;
        credit(what, seller, amount);
    }

    /// The token's owner turns a switch. `vault[i]` is the only one that a freeze touches.
    function turn(uint256 i, uint256 pick) external only(i, i) {
        i %= ORDERS;
        address account = owners()[pick / 8 % 3];
        if (pick % 8 < 3) refusing.setManner(account, RefusingToken.Manner(pick % 8));
        else if (pick % 8 == 3) token.paused() ? token.unpause() : token.pause();
        else if (pick % 8 == 4) token.setParams(token.basisPointsRate() == 0 ? 10 : 0, 49);
        else if (token.isBlackListed(vault[i])) token.removeBlackList(vault[i]);
        else token.addBlackList(vault[i]);
    }

    /// The token's owner seizes what a vault holds, all or all but a rest: it falls short, perhaps during a dispute.
    function seize(uint256 i, uint256 rest) external only(i, i) {
        i %= ORDERS;
        if (orders[i].token != address(token)) return;
        uint256 before = balanceOf(i);
        bool frozen = token.isBlackListed(vault[i]);
        if (!frozen) token.addBlackList(vault[i]);
        token.destroyBlackFunds(vault[i]);
        if (!frozen) token.removeBlackList(vault[i]);
        if (rest % 4 != 0 && !token.paused()) token.transfer(vault[i], rest % (before + 1));
        arrived[i] += balanceOf(i);
        left[i] += before;
    }

    /// Coordinator, arbitrator and a stranger together, with all their keys, before time speaks.
    function platform(uint256 i, uint256 roles, uint256 pick) external nothing {
        i %= ORDERS;
        Order memory order = orders[i];
        Attempt memory attempt = attemptOf(i, roles & (COORDINATOR | ARBITRATOR), pick);
        bytes memory signed = signatures(order, attempt.toBuyer, FOREVER, attempt.roles);
        bytes memory call = abi.encodeCall(escrow.settle, (order, attempt.toBuyer, FOREVER, signed));
        bool anyoneMay = i == UNUSABLE || finalWindowPassed(order);
        address[3] memory senders = [coordinator, arbitrator, NOBODY];
        for (uint256 k; k < 3; ++k) {
            if (!anyoneMay) refused(address(escrow), senders[k], call);
            platformTries(order, senders[k]);
        }
    }

    function platformTries(Order memory order, address by) private {
        bytes memory forged = sign(by == coordinator ? Role.Coordinator : Role.Arbitrator, disputeDigest(order));
        refused(address(escrow), by, abi.encodeCall(escrow.dispute, (order, Role.Buyer, forged)));
        refused(address(escrow), by, abi.encodeCall(escrow.dispute, (order, Role.Seller, forged)));
        refused(address(escrow), by, abi.encodeCall(escrow.requestRefund, (order, forged)));
        refused(address(escrow), by, abi.encodeCall(escrow.claim, (order, by, 0, "")));
        address its = vaultOf(order);
        if (its.code.length == 0) return;
        refused(its, by, abi.encodeCall(IVault.send, (order.token, by, 1)));
        refused(its, by, abi.encodeCall(IVault.deliver, (order.token, by, 1, by, 1, by, 1)));
    }

    /// All four sign and the vault is filled again: a settled order stays settled.
    function replay(uint256 i, uint256 pick) external only(i, i) {
        i %= ORDERS;
        if (settlements[i] == 0) return;
        Attempt memory attempt = attemptOf(i, 15, pick);
        bytes memory signed = signatures(orders[i], attempt.toBuyer, FOREVER, 15);
        refused(address(escrow), seller, abi.encodeCall(escrow.settle, (orders[i], attempt.toBuyer, FOREVER, signed)));
    }

    // Liveness

    /// Coordinator and arbitrator are gone: either trader alone, with time, brings the order to an end. Only a buyer
    /// whom the vault does not cover cannot, before a dispute: they are owed nothing, and the seller can.
    function endsAlone(uint256 i) public {
        if (settlements[i] != 0) return;
        uint256 before = vm.snapshotState();
        endsAlone(i, false);
        vm.revertToState(before);
        endsAlone(i, true);
        vm.revertToStateAndDelete(before);
        vm.warp(time);
    }

    function endsAlone(uint256 i, bool byBuyer) private {
        Order memory order = orders[i];
        State memory state = escrow.stateOf(ids[i]);
        if (i == UNUSABLE) return end(i, byBuyer, 0);
        if (state.disputedAt != 0) return endByDefault(i, byBuyer, state.disputedAt);
        if (!byBuyer) return endByRefund(i, state.refundRequestedAt);
        uint256 balance = balanceOf(i);
        if (balance < order.amount) {
            vm.expectRevert(abi.encodeWithSelector(IEscrow.Short.selector, vault[i], balance, order.amount));
        }
        vm.prank(buyer);
        escrow.dispute(order, Role.Buyer, "");
        if (balance >= order.amount) endByDefault(i, true, time);
    }

    // What the actions share

    function finalWindowPassed(Order memory order) private view returns (bool) {
        State memory state = escrow.stateOf(orderIdOf(order));
        return state.disputedAt != 0
            && time >= uint256(state.disputedAt) + order.rulingWindow + order.finalWindow;
    }

    function endByRefund(uint256 i, uint256 requestedAt) private {
        Order memory order = orders[i];
        uint256 due = time < order.payBy ? order.payBy : time;
        if (requestedAt == 0) {
            vm.warp(due);
            vm.prank(seller);
            escrow.requestRefund(order, "");
            requestedAt = due;
        }
        due = requestedAt + order.refundWindow;
        vm.warp(time < due ? due : time);
        end(i, false, 0);
    }

    function endByDefault(uint256 i, bool byBuyer, uint256 disputedAt) private {
        Order memory order = orders[i];
        uint256 due = disputedAt + order.rulingWindow + order.finalWindow;
        vm.warp(time < due ? due : time);
        uint256 balance = balanceOf(i);
        uint256 base = balance < order.amount ? balance : order.amount;
        end(i, byBuyer, base * order.defaultBuyerBps / BPS);
    }

    /// The one thing that may stand in the way is a token that pays nobody: then it goes as soon as the token does.
    function end(uint256 i, bool byBuyer, uint256 toBuyer) private {
        Order memory order = orders[i];
        bytes memory call = abi.encodeCall(escrow.settle, (order, toBuyer, FOREVER, ""));
        vm.prank(byBuyer ? buyer : seller);
        (bool done, bytes memory reason) = address(escrow).call(call);
        if (!done) {
            vm.assertEq(reason, abi.encodeWithSelector(IEscrow.NothingPaid.selector, orderIdOf(order), order.token));
            thaw(i);
            vm.prank(byBuyer ? buyer : seller);
            (done,) = address(escrow).call(call);
        }
        vm.assertTrue(done, "an order did not end");
        vm.assertTrue(vault[i].code.length != 0);
    }

    function thaw(uint256 i) private {
        if (token.paused()) token.unpause();
        if (token.isBlackListed(vault[i])) token.removeBlackList(vault[i]);
        for (uint256 k; k < 3; ++k) {
            refusing.setManner(owners()[k], RefusingToken.Manner.Accept);
        }
    }

    /// The next claim there is; if there is none, one that there is not.
    function likelyClaim(uint256 i, uint256 who) private view returns (uint256, uint256) {
        for (uint256 n; n < 6 * ORDERS; ++n) {
            (uint256 order, uint256 owner) = ((i % ORDERS + n / 6) % ORDERS, (who % 6 + n) % 6);
            if (owed[order][owners()[owner]] != 0) return (order, owner);
        }
        return (i % ORDERS, who % 6);
    }

    /// Sets of roles that settle something, and sometimes any.
    function likely(uint256 roles) private pure returns (uint256) {
        return [3, 5, 6, 9, 10, 1, 0, roles & 15][roles / 16 % 8];
    }

    function attemptOf(uint256 i, uint256 roles, uint256 pick) private view returns (Attempt memory attempt) {
        uint256 amount = orders[i].amount;
        uint256 balance = balanceOf(i);
        uint256 byDefault = (balance < amount ? balance : amount) * orders[i].defaultBuyerBps / BPS;
        uint256 toBuyer = [0, amount, byDefault, pick % (amount + 2)][pick / 4 % 4];
        attempt = Attempt(roles, toBuyer, pick % 64 == 0 ? time : FOREVER, balance);
    }

    function refused(address target, address by, bytes memory call) private {
        vm.prank(by);
        (bool done,) = target.call(call);
        vm.assertFalse(done);
    }
}
