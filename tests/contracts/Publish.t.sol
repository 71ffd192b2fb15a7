// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order} from "../../contracts/interfaces/IEscrow.sol";
import {Base} from "./Base.sol";

/// @notice `publish`: the terms in the chain's events.
contract PublishTest is Base {
    function test_anyoneTellsTheTerms() external {
        Order memory order = makeOrder();
        vm.expectEmit(address(escrow));
        emit IEscrow.Published(orderIdOf(order), order);
        vm.prank(NOBODY);
        escrow.publish(order);
    }
}
