// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, Role} from "../../contracts/interfaces/IEscrow.sol";
import {Permit2StandIn} from "../../contracts/mocks/Permit2StandIn.sol";
import {Base} from "./Base.sol";

/// @notice Permit2 at its address, and what a seller signs for it.
abstract contract Permits is Base {
    address internal constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;

    function installPermit2() internal {
        vm.etch(PERMIT2, type(Permit2StandIn).runtimeCode);
    }

    /// What a wallet signs, its type written out as a wallet shows it.
    function permit(Role by, Order memory order, address spender, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes memory)
    {
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
        bytes32 message = keccak256(abi.encode(typehash, permitted, spender, nonce, deadline, witness));
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
}
