// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order} from "../../contracts/interfaces/IEscrow.sol";
import {TwoFaced} from "../contracts/adversarial/TwoFaced.sol";
import {Base} from "../contracts/Base.sol";

/// @notice Found by review: sweeping a token by its other address took what a claim stood on.
contract DoubleEntryTokenTest is Base {
    function test_sweepLeavesWhatAClaimStandsOn() external {
        TwoFaced twoFaced = new TwoFaced();
        Order memory order = makeOrder();
        order.token = address(twoFaced);
        address vault = vaultOf(order);
        twoFaced.mint(vault, AMOUNT);
        twoFaced.refuse(buyer, true);
        settle(order, AMOUNT, SELLER | COORDINATOR);

        address otherFace = twoFaced.other();
        vm.expectRevert(abi.encodeWithSelector(IEscrow.Short.selector, vault, 0, AMOUNT - FEE));
        escrow.sweep(order, otherFace);

        twoFaced.refuse(buyer, false);
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
        vm.assertEq(twoFaced.balanceOf(buyer), AMOUNT - FEE);
    }
}
