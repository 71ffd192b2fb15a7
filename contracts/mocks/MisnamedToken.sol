// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A token that was renamed: its domain is not what its name and version make
contract MisnamedToken {
    string public constant name = "New name";
    string public constant version = "2";
    bytes32 public constant DOMAIN_SEPARATOR = keccak256("of the old name");
}
