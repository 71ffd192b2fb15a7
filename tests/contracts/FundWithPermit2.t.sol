// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role} from "../../contracts/interfaces/IEscrow.sol";
import {Permit2StandIn} from "../../contracts/mocks/Permit2StandIn.sol";
import {Base} from "./Base.sol";

/// @notice `fundWithPermit2`: the seller's permit, with the order as its witness.
contract FundWithPermit2Test is Base {
    address private constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;
    uint256 private constant NONCE = 77;
    uint256 private constant DEADLINE = START + 60;

    function setUp() public override {
        super.setUp();
        vm.etch(PERMIT2, type(Permit2StandIn).runtimeCode);
        token.transfer(seller, AMOUNT);
        vm.prank(seller);
        token.approve(PERMIT2, type(uint256).max);
    }

    /// What a wallet signs, its type written out as a wallet shows it.
    function permit(Role by, Order memory order, address spender) private view returns (bytes memory) {
        bytes32 typehash = keccak256(
            "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,"
            "Order witness)Order(address token,uint128 amount,uint128 fee,address feeRecipient,address seller,"
            "address buyer,address coordinator,address arbitrator,uint64 payBy,uint32 refundWindow,"
            "uint32 rulingWindow,uint32 finalWindow,uint16 defaultBuyerBps,uint64 salt)"
            "TokenPermissions(address token,uint256 amount)"
        );
        bytes32 permitted = keccak256(
            abi.encode(keccak256("TokenPermissions(address token,uint256 amount)"), order.token, order.amount)
        );
        bytes32 witness = keccak256(abi.encode(ORDER_TYPEHASH, order));
        bytes32 message = keccak256(abi.encode(typehash, permitted, spender, NONCE, DEADLINE, witness));
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)"),
                keccak256("Permit2"),
                block.chainid,
                PERMIT2
            )
        );
        return sign(by, keccak256(abi.encodePacked(hex"1901", domain, message)));
    }

    function test_permitFillsTheVault() external {
        Order memory order = makeOrder();
        bytes memory signature = permit(Role.Seller, order, address(escrow));
        vm.prank(NOBODY);
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
        vm.assertEq(token.balanceOf(vaultOf(order)), AMOUNT);
        settle(order, AMOUNT, SELLER | COORDINATOR);
    }

    function test_permitForAnotherOrderIsRefused() external {
        Order memory order = makeOrder();
        bytes memory signature = permit(Role.Seller, order, address(escrow));
        order.buyer = NOBODY;
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.InvalidSigner.selector));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
    }

    function test_permitOfAnotherSignerOrForAnotherSpenderIsRefused() external {
        Order memory order = makeOrder();
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.InvalidSigner.selector));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, permit(Role.Buyer, order, address(escrow)));
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.InvalidSigner.selector));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, permit(Role.Seller, order, NOBODY));
    }

    function test_permitFillsOnceAndInTime() external {
        Order memory order = makeOrder();
        bytes memory signature = permit(Role.Seller, order, address(escrow));
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.SignatureExpired.selector, DEADLINE));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
        vm.warp(DEADLINE);
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.InvalidNonce.selector));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
    }

    function test_settledOrderIsNotFilled() external {
        Order memory order = settledOrder();
        bytes memory signature = permit(Role.Seller, order, address(escrow));
        vm.expectRevert(
            abi.encodeWithSelector(IEscrow.AlreadySettled.selector, orderIdOf(order), vaultOf(order))
        );
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
    }
}
