package api

import (
	"context"
	"time"
)

// MaxBridgeText is the longest text in which the link of a bridge is looked for, in bytes.
const MaxBridgeText = MaxInviteText

// Bridges are doors in no list, which people hand each other: see [Settings.BridgesOnly].
// Whoever runs one sees the address of this computer.
type Bridges interface {
	// AddBridge takes a bridge by its link, which may stand in any text.
	AddBridge(ctx context.Context, req BridgeRequest) (Bridge, error)
	// ListBridges lists those of the profile.
	ListBridges(ctx context.Context) ([]Bridge, error)
	// RemoveBridge forgets one, by its ID, the beginning of it, or its link.
	RemoveBridge(ctx context.Context, bridge string) error
	// OwnBridge tells how the bridge is that this computer is for friends.
	OwnBridge(ctx context.Context) (OwnBridge, error)
}

// OwnBridgeState is how far the bridge of [Settings.Bridge] is.
type OwnBridgeState string

const (
	OwnBridgeOff      OwnBridgeState = "off"      // the setting is off
	OwnBridgeStarting OwnBridgeState = "starting" // it has no link yet
	OwnBridgeUntried  OwnBridgeState = "untried"  // it has a link, and nobody has come in by it
	OwnBridgeReached  OwnBridgeState = "reached"  // somebody has come in
	OwnBridgeShut     OwnBridgeState = "shut"     // nobody can come in
)

// OwnBridge is the bridge that this computer is for friends.
type OwnBridge struct {
	State OwnBridgeState `json:"state"`
	// Link is what friends are given; it is left out in a Status.
	Link      string   `json:"link,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Clients   int      `json:"clients,omitempty"` // that are connected now
	// Reason says why nobody has come in, Remedy the next step.
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// BridgeRequest is a text of at most [MaxBridgeText] bytes with a link in it.
type BridgeRequest struct {
	Link string `json:"link"`
}

// A Bridge is one door of this profile.
type Bridge struct {
	ID string `json:"id"` // its network identity
	// Link is left out in a Status.
	Link      string    `json:"link,omitempty"`
	Addresses []string  `json:"addresses"`
	Added     time.Time `json:"added,omitzero"`
	Connected bool      `json:"connected"`
	Pipes     int       `json:"pipes"` // relays reached over it now
	// Error says why it was not reached the last time.
	Error string `json:"error,omitempty"`
}
