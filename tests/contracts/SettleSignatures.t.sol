// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../../contracts/Escrow.sol";
import {IEscrow, Order, Role, State} from "../../contracts/interfaces/IEscrow.sol";
import {ContractSigner} from "../../contracts/mocks/ContractSigner.sol";
import {Base} from "./Base.sol";

/// @notice `settle`: whose signature counts, in which form, and for what.
contract SettleSignaturesTest is Base {
    uint256 private constant RELEASE = SELLER | COORDINATOR;
    uint256 private constant SECP256K1_N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function test_senderCountsAsSigner() external {
        Role[4] memory senders = [Role.Seller, Role.Buyer, Role.Coordinator, Role.Arbitrator];
        for (uint256 i; i < 4; ++i) {
            Order memory order = makeOrder();
            order.salt = uint64(100 + i);
            token.transfer(vaultOf(order), AMOUNT);
            uint256 other = i == 0 ? BUYER : SELLER;
            if (i == 3) dispute(order);
            bytes memory signed = signatures(order, AMOUNT, FOREVER, other);
            vm.expectEmit(address(escrow));
            emit IEscrow.Settled(orderIdOf(order), other | 1 << i, AMOUNT);
            vm.prank(vm.addr(keyOf(senders[i])));
            escrow.settle(order, AMOUNT, FOREVER, signed);
        }
    }

    function test_oneRoleTwiceIsOneRole() external {
        Order memory order = fundedOrder();
        bytes memory signature = sign(Role.Seller, settlementDigest(orderIdOf(order), AMOUNT, FOREVER));
        bytes memory signed = abi.encodePacked(one(Role.Seller, signature), one(Role.Seller, signature));
        vm.expectRevert(
            abi.encodeWithSelector(
                IEscrow.NotAllowed.selector, orderIdOf(order), SELLER, AMOUNT, State(0, 0), START
            )
        );
        escrow.settle(order, AMOUNT, FOREVER, signed);
    }

    function refuseSignature(Order memory order, Role role, bytes memory signature) private {
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        address holder = [order.seller, order.buyer, order.coordinator, order.arbitrator][uint256(role)];
        vm.expectRevert(abi.encodeWithSelector(IEscrow.InvalidSignature.selector, role, holder, digest));
        vm.prank(coordinator);
        escrow.settle(order, AMOUNT, FOREVER, one(role, signature));
    }

    function test_signatureForAnythingElseIsRefused() external {
        Order memory order = fundedOrder();
        bytes32 id = orderIdOf(order);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Settlement(bytes32 orderId,uint256 toBuyer,uint256 validUntil)"), id, AMOUNT, FOREVER
            )
        );
        refuseSignature(order, Role.Seller, sign(Role.Buyer, typed(structHash)));
        refuseSignature(order, Role.Buyer, sign(Role.Seller, typed(structHash)));
        refuseSignature(order, Role.Seller, sign(Role.Seller, settlementDigest(id, AMOUNT - 1, FOREVER)));
        refuseSignature(order, Role.Seller, sign(Role.Seller, settlementDigest(id, AMOUNT, FOREVER - 1)));
        refuseSignature(order, Role.Seller, sign(Role.Seller, disputeDigest(order)));
        refuseSignature(order, Role.Seller, sign(Role.Seller, typedFor(address(new Escrow()), structHash)));
        refuseSignature(order, Role.Seller, "");
        refuseSignature(order, Role.Seller, new bytes(64));
        refuseSignature(order, Role.Seller, new bytes(65));
        refuseSignature(order, Role.Seller, new bytes(66));
        order.salt = 2;
        refuseSignature(order, Role.Seller, sign(Role.Seller, typed(structHash)));
    }

    function test_signatureForAnotherChainIsRefused() external {
        Order memory order = fundedOrder();
        bytes memory signature = sign(Role.Seller, settlementDigest(orderIdOf(order), AMOUNT, FOREVER));
        vm.chainId(5);
        refuseSignature(order, Role.Seller, signature);
    }

    function test_compactSignatureCounts() external {
        Order memory order = fundedOrder();
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(Role.Seller), digest);
        bytes32 vs = bytes32(uint256(s) | (uint256(v - 27) << 255));
        vm.prank(coordinator);
        escrow.settle(order, AMOUNT, FOREVER, one(Role.Seller, abi.encodePacked(r, vs)));
    }

    function test_highSIsRefused() external {
        Order memory order = fundedOrder();
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(Role.Seller), digest);
        bytes32 high = bytes32(SECP256K1_N - uint256(s));
        refuseSignature(order, Role.Seller, abi.encodePacked(r, high, 55 - v));
    }

    function test_roleOutOfRangeIsRefused() external {
        Order memory order = fundedOrder();
        bytes memory signed = signatures(order, AMOUNT, FOREVER, RELEASE);
        signed[0] = 0x04;
        vm.expectRevert(abi.encodeWithSelector(IEscrow.MalformedSignatures.selector, signed));
        escrow.settle(order, AMOUNT, FOREVER, signed);
    }

    function test_brokenListIsRefused() external {
        Order memory order = fundedOrder();
        bytes memory whole = signatures(order, AMOUNT, FOREVER, SELLER);
        bytes[3] memory broken = [bytes(hex"00"), hex"0000", abi.encodePacked(uint8(0), uint16(66), new bytes(65))];
        for (uint256 i; i < broken.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IEscrow.MalformedSignatures.selector, broken[i]));
            escrow.settle(order, AMOUNT, FOREVER, bytes.concat(whole, broken[i]));
        }
    }

    function test_contractsSignByErc1271() external {
        Order memory order = makeOrder();
        order.seller = address(new ContractSigner(vm.addr(keyOf(Role.Seller))));
        token.transfer(vaultOf(order), AMOUNT);
        refuseSignature(order, Role.Seller, sign(Role.Buyer, settlementDigest(orderIdOf(order), AMOUNT, FOREVER)));
        settle(order, AMOUNT, RELEASE);
        vm.assertEq(token.balanceOf(buyer), AMOUNT - FEE);
    }

    /// EIP-7702: an account with delegated code signs with its key even if the code refuses, and as the code says.
    function test_delegatedAccountsSignBothWays() external {
        delegate(Role.Seller, address(new ContractSigner(arbitrator)));
        Order memory order = fundedOrder();
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        refuseSignature(order, Role.Seller, sign(Role.Buyer, digest));
        uint256 before = vm.snapshotState();
        vm.prank(coordinator);
        escrow.settle(order, AMOUNT, FOREVER, one(Role.Seller, sign(Role.Seller, digest)));
        vm.revertToState(before);
        vm.prank(coordinator);
        escrow.settle(order, AMOUNT, FOREVER, one(Role.Seller, sign(Role.Arbitrator, digest)));
    }

    function test_missingRoleCannotSign() external {
        Order memory order = makeOrder();
        order.seller = address(0);
        refuseSignature(order, Role.Seller, new bytes(65));
    }
}
