// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, State} from "../../contracts/interfaces/IEscrow.sol";
import {ReenteringToken} from "../../contracts/mocks/ReenteringToken.sol";
import {RefusingToken} from "../../contracts/mocks/RefusingToken.sol";
import {Base} from "./Base.sol";

/// @notice `settle`: what is paid and what is refused. Who may, is in Policy.t.sol;
/// whose signature counts, in SettleSignatures.t.sol.
contract SettleTest is Base {
    uint256 private constant RELEASE = SELLER | COORDINATOR;
    uint256 private constant REFUND = BUYER | COORDINATOR;
    uint256 private constant BOTH = SELLER | BUYER;

    function assertPaid(uint256 toBuyer, uint256 fee, uint256 toSeller) private view {
        vm.assertEq(token.balanceOf(buyer), toBuyer, "buyer");
        vm.assertEq(token.balanceOf(TREASURY), fee, "fee");
        vm.assertEq(token.balanceOf(seller), toSeller, "seller");
    }

    function settledEvent(Order memory order, uint256 toBuyer, uint256 roles) private {
        vm.expectEmit(address(escrow));
        emit IEscrow.Settled(orderIdOf(order), roles, toBuyer);
    }

    // Ids and addresses

    function testFuzz_idAndVaultAreTheInterfacesWords(Order memory order) external view {
        vm.assertEq(escrow.orderIdOf(order), orderIdOf(order));
        vm.assertEq(escrow.vaultOf(orderIdOf(order)), vaultOf(order));
    }

    /// The terms' words as they arrive: none may hold more than its type.
    function test_aWordWiderThanItsTypeIsRefused() external {
        Order memory order = fundedOrder();
        bytes memory signed = signatures(order, AMOUNT, FOREVER, RELEASE);
        uint8[14] memory bits = [160, 128, 128, 160, 160, 160, 160, 160, 64, 32, 32, 32, 16, 64];
        for (uint256 i; i < 14; ++i) {
            bytes memory data = abi.encodeCall(escrow.settle, (order, AMOUNT, FOREVER, signed));
            assembly ("memory-safe") {
                let word := add(add(data, 0x24), mul(i, 0x20))
                mstore(word, or(mload(word), shl(mload(add(bits, mul(i, 0x20))), 1)))
            }
            (bool done, bytes memory answer) = address(escrow).call(data);
            vm.assertFalse(done);
            vm.assertEq(answer.length, 0);
        }
        settle(order, AMOUNT, RELEASE);
    }

    /// And each may hold all that its type can. Terms like these are unusable: a refund of nothing ends the order.
    function test_theWidestWordsAreTaken() external {
        address last = address(type(uint160).max);
        Order memory order = Order({
            token: address(token),
            amount: type(uint128).max,
            fee: type(uint128).max,
            feeRecipient: last,
            seller: last,
            buyer: last,
            coordinator: last,
            arbitrator: last,
            payBy: type(uint64).max,
            refundWindow: type(uint32).max,
            rulingWindow: type(uint32).max,
            finalWindow: type(uint32).max,
            defaultBuyerBps: type(uint16).max,
            salt: type(uint64).max
        });
        vm.assertEq(escrow.settle(order, 0, FOREVER, ""), orderIdOf(order));
        vm.assertEq(vaultOf(order).code.length, 39);
    }

    // Payouts

    function test_releasePaysBuyerAndFee() external {
        Order memory order = fundedOrder();
        bytes memory signed = signatures(order, AMOUNT, FOREVER, RELEASE);
        settledEvent(order, AMOUNT, RELEASE);
        vm.assertEq(escrow.settle(order, AMOUNT, FOREVER, signed), orderIdOf(order));
        assertPaid(AMOUNT - FEE, FEE, 0);
        vm.assertEq(vaultOf(order).code.length, 39);
    }

    function test_refundPaysTheSellerAndNoFee() external {
        settle(fundedOrder(), 0, REFUND);
        assertPaid(0, 0, AMOUNT);
    }

    function test_splitTakesTheFeeProRata() external {
        settle(fundedOrder(), 400e6, BOTH);
        assertPaid(396e6, 4e6, 600e6);
    }

    function test_feeIsRoundedDown() external {
        Order memory order = makeOrder();
        (order.amount, order.fee) = (1_000, 33);
        token.transfer(vaultOf(order), 1_000);
        settle(order, 999, BOTH);
        assertPaid(967, 32, 1);
    }

    function test_surplusGoesToTheSellerOnRelease() external {
        Order memory order = fundedOrder();
        token.transfer(vaultOf(order), 7);
        settle(order, AMOUNT, RELEASE);
        assertPaid(AMOUNT - FEE, FEE, 7);
    }

    function test_surplusGoesToTheSellerOnRefund() external {
        Order memory order = fundedOrder();
        token.transfer(vaultOf(order), 7);
        settle(order, 0, REFUND);
        assertPaid(0, 0, AMOUNT + 7);
    }

    function testFuzz_payoutsAddUpToTheBalance(uint128 amount, uint128 fee, uint128 toBuyer, uint64 surplus)
        external
    {
        vm.assume(amount != 0 && amount < 1e29);
        Order memory order = makeOrder();
        (order.amount, order.fee) = (amount, fee % (amount / 20 + 1));
        uint256 share = toBuyer % (uint256(amount) + 1);
        token.transfer(vaultOf(order), uint256(amount) + surplus);
        settle(order, share, BOTH);

        uint256 feePaid = token.balanceOf(TREASURY);
        vm.assertEq(token.balanceOf(vaultOf(order)), 0);
        vm.assertEq(token.balanceOf(buyer) + feePaid, share);
        vm.assertEq(token.balanceOf(seller), amount - share + surplus);
        vm.assertTrue(feePaid * 20 <= share, "fee over 5 %");
        vm.assertTrue(feePaid * amount <= share * order.fee, "fee rounded up");
        vm.assertTrue((feePaid + 1) * amount > share * order.fee, "fee rounded by more than a unit");
    }

    // Short vaults

    function test_shortByAUnitRefusesARelease() external {
        Order memory order = makeOrder();
        token.transfer(vaultOf(order), AMOUNT - 1);
        bytes memory short = abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(order), AMOUNT - 1, AMOUNT);
        refuse(order, AMOUNT, RELEASE, short);
        refuse(order, AMOUNT, RELEASE | BUYER, short);
    }

    function test_shortRefusesARulingButARefund() external {
        Order memory order = fundedOrder();
        dispute(order);
        token.addBlackList(vaultOf(order));
        token.destroyBlackFunds(vaultOf(order));
        token.removeBlackList(vaultOf(order));
        token.transfer(vaultOf(order), 10);
        refuse(
            order, 9, BUYER | ARBITRATOR, abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(order), 10, AMOUNT)
        );
        settle(order, 0, BUYER | ARBITRATOR);
        assertPaid(0, 0, 10);
    }

    function test_shortPaysASplitThatBothTradersSigned() external {
        Order memory order = makeOrder();
        token.transfer(vaultOf(order), 500e6);
        settle(order, 500e6, BOTH);
        assertPaid(495e6, 5e6, 0);
    }

    function test_shortPaysWhenMoreThanTheTradersSigned() external {
        Order memory order = makeOrder();
        token.transfer(vaultOf(order), 500e6);
        settle(order, 500e6, BOTH | COORDINATOR | ARBITRATOR);
        assertPaid(495e6, 5e6, 0);
    }

    function test_shortRefusesMoreThanThereIs() external {
        Order memory order = makeOrder();
        token.transfer(vaultOf(order), 500e6);
        bytes memory short = abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(order), 500e6, 500e6 + 1);
        refuse(order, 500e6 + 1, BOTH, short);
    }

    function test_shortRefundPaysWhatIsThere() external {
        Order memory order = makeOrder();
        token.transfer(vaultOf(order), 3);
        settle(order, 0, REFUND);
        assertPaid(0, 0, 3);
    }

    function test_emptyOrderIsClosedByARefund() external {
        Order memory order = makeOrder();
        settle(order, 0, REFUND);
        bytes memory settled =
            abi.encodeWithSelector(IEscrow.AlreadySettled.selector, orderIdOf(order), vaultOf(order));
        refuse(order, 0, REFUND, settled);
    }

    /// `allows` answers who may settle how; what there is to pay, `settle` asks itself.
    function test_theRolesThatMayDoNotFillTheVault() external {
        Order memory order = makeOrder();
        vm.assertTrue(escrow.allows(order, AMOUNT, RELEASE));
        refuse(order, AMOUNT, RELEASE, abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(order), 0, AMOUNT));
        vm.assertTrue(escrow.allows(order, AMOUNT + 1, BOTH));
        refuse(
            order, AMOUNT + 1, BOTH, abi.encodeWithSelector(IEscrow.ExceedsAmount.selector, AMOUNT + 1, AMOUNT)
        );
    }

    // Limits

    function test_moreThanTheAmountIsRefused() external {
        Order memory order = fundedOrder();
        refuse(
            order, AMOUNT + 1, BOTH, abi.encodeWithSelector(IEscrow.ExceedsAmount.selector, AMOUNT + 1, AMOUNT)
        );
    }

    function test_validUntilIsTheFirstSecondOfExpiry() external {
        Order memory order = fundedOrder();
        bytes memory signed = signatures(order, AMOUNT, START + 60, RELEASE);
        vm.warp(START + 60);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.Expired.selector, START + 60, START + 60));
        escrow.settle(order, AMOUNT, START + 60, signed);
        vm.warp(START + 59);
        escrow.settle(order, AMOUNT, START + 60, signed);
    }

    function test_settlesOnce() external {
        Order memory order = fundedOrder();
        settle(order, AMOUNT, RELEASE);
        bytes memory settled =
            abi.encodeWithSelector(IEscrow.AlreadySettled.selector, orderIdOf(order), vaultOf(order));
        refuse(order, AMOUNT, RELEASE, settled);
        refuse(order, 0, REFUND, settled);
        token.transfer(vaultOf(order), AMOUNT);
        refuse(order, AMOUNT, RELEASE, settled);
        vm.assertFalse(escrow.allows(order, AMOUNT, RELEASE));
    }

    function test_notAllowedCarriesItsEvidence() external {
        Order memory order = fundedOrder();
        requestRefundLate(order);
        State memory state = State(uint64(START + 1_000), 0);
        refuse(
            order,
            AMOUNT,
            COORDINATOR | ARBITRATOR,
            abi.encodeWithSelector(
                IEscrow.NotAllowed.selector, orderIdOf(order), 12, AMOUNT, state, START + 1_000
            )
        );
    }

    function requestRefundLate(Order memory order) private {
        vm.warp(order.payBy);
        requestRefund(order);
    }

    // Unusable terms

    function test_unusableTermsAllowAnyoneARefundAndNothingElse() external {
        for (uint256 fault; fault < 14; ++fault) {
            Order memory order = faulty(fault);
            token.transfer(vaultOf(order), AMOUNT);
            vm.assertFalse(order.amount != 0 && escrow.allows(order, order.amount, 15));
            vm.assertFalse(escrow.allows(order, 1, 15));
            vm.assertTrue(escrow.allows(order, 0, 0), vm.toString(fault));
            uint256 before = token.balanceOf(order.seller);
            settle(order, 0, 0);
            vm.assertEq(token.balanceOf(order.seller) - before, AMOUNT);
        }
    }

    function test_missingTokenIsUnusable() external view {
        Order memory order = makeOrder();
        order.token = address(0);
        vm.assertFalse(escrow.allows(order, AMOUNT, 15));
    }

    function test_unusableTermsRefuseARelease() external {
        Order memory order = faulty(1);
        token.transfer(vaultOf(order), AMOUNT);
        refuse(
            order,
            AMOUNT,
            15,
            abi.encodeWithSelector(
                IEscrow.NotAllowed.selector, orderIdOf(order), 15, AMOUNT, State(0, 0), block.timestamp
            )
        );
    }

    function test_highestFeeIsUsableAndNoFeeNeedsNoRecipient() external {
        Order memory order = makeOrder();
        order.fee = AMOUNT / 20;
        vm.assertTrue(escrow.allows(order, AMOUNT, RELEASE));
        (order.fee, order.feeRecipient) = (0, address(0));
        token.transfer(vaultOf(order), AMOUNT);
        settle(order, AMOUNT, RELEASE);
        assertPaid(AMOUNT, 0, 0);
    }

    function test_theWholeMayBeTheDefaultShare() external {
        Order memory order = makeOrder();
        order.defaultBuyerBps = 10_000;
        token.transfer(vaultOf(order), AMOUNT);
        dispute(order);
        vm.warp(START + order.rulingWindow + order.finalWindow);
        settle(order, AMOUNT, 0);
        assertPaid(AMOUNT - FEE, FEE, 0);
    }

    /// Where one address holds two roles, the event names both.
    function test_aSenderOfTwoRolesIsNamedAsBoth() external {
        uint256[3] memory faults = [uint256(8), 9, 10];
        for (uint256 i; i < 3; ++i) {
            Order memory order = faulty(faults[i]);
            token.transfer(vaultOf(order), AMOUNT);
            settledEvent(order, 0, SELLER | BUYER << i);
            vm.prank(seller);
            escrow.settle(order, 0, FOREVER, "");
        }
    }

    function faulty(uint256 fault) private view returns (Order memory order) {
        order = makeOrder();
        if (fault == 0) (order.amount, order.fee) = (0, 0);
        if (fault == 1) order.fee = AMOUNT / 20 + 1;
        if (fault == 2) order.defaultBuyerBps = 10_001;
        if (fault == 3) order.feeRecipient = address(0);
        if (fault == 4) order.seller = address(0);
        if (fault == 5) order.buyer = address(0);
        if (fault == 6) order.coordinator = address(0);
        if (fault == 7) order.arbitrator = address(0);
        if (fault == 8) order.buyer = seller;
        if (fault == 9) order.coordinator = seller;
        if (fault == 10) order.arbitrator = seller;
        if (fault == 11) order.coordinator = buyer;
        if (fault == 12) order.arbitrator = buyer;
        if (fault == 13) order.arbitrator = coordinator;
    }

    // The token's ways

    function test_tokenFeeIsTheRecipientsLoss() external {
        Order memory order = fundedOrder();
        token.setParams(10, 49);
        settle(order, 400e6, BOTH);
        assertPaid(396e6 - 396e3, 4e6 - 4e3, 600e6 - 600e3);
        vm.assertEq(token.balanceOf(vaultOf(order)), 0);
    }

    function test_tokenFeeOnTheDepositLeavesTheVaultShort() external {
        token.setParams(10, 49);
        Order memory order = fundedOrder();
        bytes memory short = abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(order), 999e6, AMOUNT);
        refuse(order, AMOUNT, RELEASE, short);
    }

    function test_pausedTokenCanBeTriedAgain() external {
        Order memory order = fundedOrder();
        token.pause();
        bytes memory nothing =
            abi.encodeWithSelector(IEscrow.NothingPaid.selector, orderIdOf(order), address(token));
        refuse(order, AMOUNT, RELEASE, nothing);
        vm.assertEq(vaultOf(order).code.length, 0);
        token.unpause();
        settle(order, AMOUNT, RELEASE);
        assertPaid(AMOUNT - FEE, FEE, 0);
    }

    function test_frozenVaultCanBeTriedAgain() external {
        Order memory order = fundedOrder();
        token.addBlackList(vaultOf(order));
        bytes memory nothing =
            abi.encodeWithSelector(IEscrow.NothingPaid.selector, orderIdOf(order), address(token));
        refuse(order, 400e6, BOTH, nothing);
        token.removeBlackList(vaultOf(order));
        settle(order, 400e6, BOTH);
    }

    function test_frozenRecipientIsPaid() external {
        Order memory order = fundedOrder();
        token.addBlackList(buyer);
        settle(order, AMOUNT, RELEASE);
        assertPaid(AMOUNT - FEE, FEE, 0);
    }

    function test_eachRefusedPayoutBecomesAClaim() external {
        for (uint256 i; i < 6; ++i) {
            refusedPayoutBecomesAClaim(i % 3, RefusingToken.Manner(1 + i / 3));
        }
    }

    function refusedPayoutBecomesAClaim(uint256 who, RefusingToken.Manner manner) private {
        address[3] memory owners = [buyer, TREASURY, seller];
        uint256[3] memory dues = [uint256(396e6), 4e6, 600e6];
        RefusingToken refusing = new RefusingToken();
        refusing.setManner(owners[who], manner);
        Order memory order = makeOrder();
        order.token = address(refusing);
        refusing.mint(vaultOf(order), AMOUNT);

        bytes memory signed = signatures(order, 400e6, FOREVER, BOTH);
        vm.expectEmit(address(escrow));
        emit IEscrow.ClaimCreated(orderIdOf(order), owners[who], dues[who]);
        settledEvent(order, 400e6, BOTH);
        vm.recordLogs();
        escrow.settle(order, 400e6, FOREVER, signed);
        (uint256 claims,) = emitted(IEscrow.ClaimCreated.selector);
        vm.assertEq(claims, 1);

        for (uint256 i; i < 3; ++i) {
            bool refused = i == who;
            vm.assertEq(escrow.claimOf(orderIdOf(order), owners[i]), refused ? dues[i] : 0);
            vm.assertEq(refusing.balanceOf(owners[i]), refused ? 0 : dues[i]);
        }
        vm.assertEq(escrow.claimsOf(orderIdOf(order)), dues[who]);
        vm.assertEq(refusing.balanceOf(vaultOf(order)), dues[who]);
    }

    /// A refund pays the seller alone: frozen, they leave the order as it is, for another try.
    function test_refundToAFrozenSellerCanBeTriedAgain() external {
        RefusingToken refusing = new RefusingToken();
        refusing.setManner(seller, RefusingToken.Manner.Revert);
        Order memory order = makeOrder();
        order.token = address(refusing);
        refusing.mint(vaultOf(order), AMOUNT);
        refuse(order, 0, REFUND, abi.encodeWithSelector(IEscrow.NothingPaid.selector, orderIdOf(order), refusing));
        vm.assertEq(vaultOf(order).code.length, 0);
        vm.assertEq(escrow.claimsOf(orderIdOf(order)), 0);
        refusing.setManner(seller, RefusingToken.Manner.Accept);
        settle(order, 0, REFUND);
        vm.assertEq(refusing.balanceOf(seller), AMOUNT);
    }

    function test_claimsOfOneAddressAddUp() external {
        RefusingToken refusing = new RefusingToken();
        refusing.setManner(buyer, RefusingToken.Manner.Revert);
        Order memory order = makeOrder();
        (order.token, order.feeRecipient) = (address(refusing), buyer);
        refusing.mint(vaultOf(order), AMOUNT);
        settle(order, 400e6, BOTH);
        vm.assertEq(escrow.claimOf(orderIdOf(order), buyer), 400e6);
        vm.assertEq(escrow.claimsOf(orderIdOf(order)), 400e6);
    }

    function test_tokenCannotReenter() external {
        ReenteringToken reentering = new ReenteringToken();
        Order memory order = makeOrder();
        order.token = address(reentering);
        reentering.mint(vaultOf(order), AMOUNT);
        bytes memory signed = signatures(order, AMOUNT, FOREVER, RELEASE);
        reentering.setCallback(address(escrow), abi.encodeCall(escrow.sweep, (order, order.token)));
        escrow.settle(order, AMOUNT, FOREVER, signed);
        vm.assertFalse(reentering.called());
        vm.assertEq(reentering.answer(), abi.encodeWithSignature("ReentrancyGuardReentrantCall()"));
        vm.assertEq(reentering.balanceOf(buyer), AMOUNT - FEE);
    }
}
