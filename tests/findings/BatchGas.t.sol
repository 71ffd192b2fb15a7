// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, Role, Settlement} from "../../contracts/interfaces/IEscrow.sol";
import {Base} from "../contracts/Base.sol";

/// A signer that eats all the gas it is given.
contract GasEater {
    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        while (gasleft() > 0) {}
        return 0;
    }
}

/// A token that reverts with a long reason.
contract LongReason {
    function balanceOf(address) external pure returns (uint256) {
        assembly {
            revert(0, 200000)
        }
    }
}

/// @notice Found by review: one item could burn the gas of a whole batch. Each now has a share of its own.
contract BatchGasTest is Base {
    uint256 private constant ITEMS = 10;
    uint256 private constant GAS_LIMIT = 3_000_000;

    function item(Order memory order) private view returns (Settlement memory) {
        return Settlement(order, AMOUNT, FOREVER, signatures(order, AMOUNT, FOREVER, SELLER | COORDINATOR));
    }

    function numbered(uint64 salt) private view returns (Order memory order) {
        order = makeOrder();
        order.salt = salt;
    }

    /// Nine honest items after the hostile one: all nine go through, whatever the first does.
    function check(Settlement memory hostile) private {
        Settlement[] memory items = new Settlement[](ITEMS);
        items[0] = hostile;
        for (uint256 i = 1; i < ITEMS; ++i) {
            Order memory order = numbered(uint64(i));
            token.transfer(vaultOf(order), AMOUNT);
            items[i] = item(order);
        }
        vm.prank(NOBODY);
        bool[] memory settled = escrow.settleBatch{gas: GAS_LIMIT}(items);
        vm.assertFalse(settled[0]);
        for (uint256 i = 1; i < ITEMS; ++i) {
            vm.assertTrue(settled[i], "an honest item failed");
        }
    }

    function test_aSettledVaultThatIsFilledAgain() external {
        Order memory order = numbered(77);
        token.transfer(vaultOf(order), AMOUNT);
        settle(order, 0, SELLER | BUYER);
        token.transfer(vaultOf(order), AMOUNT);
        check(item(order));
    }

    function test_aSignerThatBurnsGas() external {
        Order memory order = numbered(78);
        order.seller = address(new GasEater());
        token.transfer(vaultOf(order), AMOUNT);
        Settlement memory hostile = item(order);
        hostile.signatures = one(Role.Seller, hex"00");
        check(hostile);
    }

    function test_aReasonThatIsLong() external {
        Order memory order = numbered(79);
        order.token = address(new LongReason());
        check(item(order));
    }
}
