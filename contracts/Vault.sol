// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IVault} from "./interfaces/IVault.sol";

/// @notice See `IVault`. The vaults are proxies of the escrow, which inherits this: what a vault runs lies at an
/// address that a settlement has touched already.
abstract contract Vault is IVault {
    /// A failed transfer counts as refused only if it had this much gas: a sender who is stingy with gas must not be
    /// able to turn a payout into a claim.
    uint256 private constant MIN_TRANSFER_GAS = 200_000;

    uint256 private constant BUYER_REFUSED = 1;
    uint256 private constant FEE_REFUSED = 2;
    uint256 private constant SELLER_REFUSED = 4;

    address private immutable ESCROW = address(this);

    /// Runs in a vault, called by the escrow.
    modifier onlyVault() {
        if (msg.sender != ESCROW) revert OnlyEscrow(msg.sender);
        if (address(this) == ESCROW) revert OnlyEscrow(msg.sender);
        _;
    }

    /// Runs in the escrow itself, not in a vault.
    modifier onlyEscrow() {
        if (address(this) != ESCROW) revert OnlyEscrow(msg.sender);
        _;
    }

    /// @inheritdoc IVault
    function deliver(
        address token,
        address buyer,
        uint256 toBuyer,
        address feeRecipient,
        uint256 fee,
        address seller,
        uint256 toSeller
    ) external onlyVault returns (uint256 refused) {
        if (!transfer(token, buyer, toBuyer)) refused = BUYER_REFUSED;
        if (!transfer(token, feeRecipient, fee)) refused |= FEE_REFUSED;
        if (!transfer(token, seller, toSeller)) refused |= SELLER_REFUSED;
    }

    /// @inheritdoc IVault
    function send(address token, address to, uint256 amount) external onlyVault returns (bool sent) {
        if (token != address(0)) return transfer(token, to, amount);
        (sent,) = to.call{value: amount}("");
    }

    function transfer(address token, address to, uint256 amount) private returns (bool) {
        if (amount == 0) return true;
        uint256 available = gasleft();
        if (SafeERC20.trySafeTransfer(IERC20(token), to, amount)) return true;
        if (available < MIN_TRANSFER_GAS) revert InsufficientGas(available, MIN_TRANSFER_GAS);
        return false;
    }
}
