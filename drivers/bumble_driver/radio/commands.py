"""The HCI commands that a radio controller serves; any other is answered with UNKNOWN_HCI_COMMAND.

The base class has handlers for much more (classic, isochronous, periodic advertising, channel sounding) that were
written for trusting tests. An explicit list keeps them out of a stranger's reach and what is announced true.
"""

from __future__ import annotations

from typing import Final

from bumble import hci

SERVED: Final[frozenset[int]] = frozenset(
    {
        # Controller and baseband, Vol 4, Part E, sections 7.1 to 7.5
        hci.HCI_DISCONNECT_COMMAND,
        hci.HCI_SET_EVENT_MASK_COMMAND,
        hci.HCI_RESET_COMMAND,
        hci.HCI_SET_EVENT_MASK_PAGE_2_COMMAND,
        hci.HCI_READ_LE_HOST_SUPPORT_COMMAND,
        hci.HCI_WRITE_LE_HOST_SUPPORT_COMMAND,
        hci.HCI_READ_LOCAL_VERSION_INFORMATION_COMMAND,
        hci.HCI_READ_LOCAL_SUPPORTED_COMMANDS_COMMAND,
        hci.HCI_READ_LOCAL_SUPPORTED_FEATURES_COMMAND,
        hci.HCI_READ_LOCAL_EXTENDED_FEATURES_COMMAND,
        hci.HCI_READ_BUFFER_SIZE_COMMAND,
        hci.HCI_READ_BD_ADDR_COMMAND,
        hci.HCI_READ_RSSI_COMMAND,
        # LE, section 7.8
        hci.HCI_LE_SET_EVENT_MASK_COMMAND,
        hci.HCI_LE_READ_BUFFER_SIZE_COMMAND,
        hci.HCI_LE_READ_LOCAL_SUPPORTED_FEATURES_COMMAND,
        hci.HCI_LE_SET_RANDOM_ADDRESS_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_PARAMETERS_COMMAND,
        hci.HCI_LE_READ_ADVERTISING_PHYSICAL_CHANNEL_TX_POWER_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_DATA_COMMAND,
        hci.HCI_LE_SET_SCAN_RESPONSE_DATA_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_ENABLE_COMMAND,
        hci.HCI_LE_SET_SCAN_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_SCAN_ENABLE_COMMAND,
        hci.HCI_LE_CREATE_CONNECTION_COMMAND,
        hci.HCI_LE_CREATE_CONNECTION_CANCEL_COMMAND,
        hci.HCI_LE_READ_FILTER_ACCEPT_LIST_SIZE_COMMAND,
        hci.HCI_LE_CLEAR_FILTER_ACCEPT_LIST_COMMAND,
        hci.HCI_LE_ADD_DEVICE_TO_FILTER_ACCEPT_LIST_COMMAND,
        hci.HCI_LE_REMOVE_DEVICE_FROM_FILTER_ACCEPT_LIST_COMMAND,
        hci.HCI_LE_CONNECTION_UPDATE_COMMAND,
        hci.HCI_LE_READ_REMOTE_FEATURES_COMMAND,
        hci.HCI_LE_RAND_COMMAND,
        hci.HCI_LE_ENABLE_ENCRYPTION_COMMAND,
        hci.HCI_LE_LONG_TERM_KEY_REQUEST_REPLY_COMMAND,
        hci.HCI_LE_LONG_TERM_KEY_REQUEST_NEGATIVE_REPLY_COMMAND,
        hci.HCI_LE_READ_SUPPORTED_STATES_COMMAND,
        hci.HCI_LE_READ_SUGGESTED_DEFAULT_DATA_LENGTH_COMMAND,
        hci.HCI_LE_WRITE_SUGGESTED_DEFAULT_DATA_LENGTH_COMMAND,
        hci.HCI_LE_READ_MAXIMUM_DATA_LENGTH_COMMAND,
        hci.HCI_LE_READ_PHY_COMMAND,
    }
)

ANNOUNCED: Final[frozenset[int]] = SERVED - {hci.HCI_READ_LOCAL_EXTENDED_FEATURES_COMMAND}
"""What Read Local Supported Commands says (section 6.27). Linux decides by command bits whether to use the EXTENDED
family, so none of that name is announced; the features command is served to those who go by the feature bit."""
