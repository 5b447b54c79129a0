// Package control carries a node's api over a unix socket, so that commands
// and screens of other processes use the node that runs.
//
// # Protocol
//
// One JSON object a line, at most 1 MiB with its line feed, in both
// directions. The socket has mode 0600 in a folder of mode 0700; who can
// connect is the profile's owner.
//
//	→ {"id":7,"method":"history","params":{"contact":"Bob"}}
//	← {"id":7,"item":{…}}                  one line for each element of a list
//	← {"id":7}                             the end of a list
//	→ {"id":8,"method":"send","params":{…}}
//	← {"id":8,"result":{…}}
//	← {"id":8,"error":{"code":"unknown_contact","message":"…","hint":"…"}}
//	→ {"id":7,"method":"more"}             32 more items may come
//	→ {"id":8,"method":"cancel"}           ends call 8, if it still runs
//
// Calls run side by side, up to 64 on one connection; ids are chosen by the
// client and must differ among the calls that run. A call begins with leave for
// 64 items and then waits for more, so that a slow reader of one list holds up
// nothing else, reads later, and loses nothing. Events are the items of a call
// that does not end by itself. A call ends with its connection. A line that is
// not understood ends the connection.
package control

import (
	"encoding/json"
	"errors"
	"time"

	"starling/node/api"
)

const (
	maxLine  = 1 << 20
	maxCalls = 64

	firstItems = 64 // that may come unasked
	moreItems  = 32 // that each "more" allows

	// lastAnswer is how long a client has to take answers when the node ends.
	lastAnswer = time.Second
)

// Errors that callers tell apart.
var (
	// ErrNoNode means that no node runs on the profile.
	ErrNoNode = errors.New("no node runs on this profile")
	// ErrInUse means that another node serves the profile.
	ErrInUse = errors.New("another node serves this profile")
)

// request is a line from a client.
type request struct {
	ID     uint64          `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params,omitempty"`
}

// response is a line from the node. At most one field but ID is set.
type response struct {
	ID     uint64          `json:"id"`
	Item   json.RawMessage `json:"item,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *api.Error      `json:"error,omitempty"`
}

// Parameters of the methods whose arguments are not a struct of package api.
type (
	idParams struct {
		ID string `json:"id"`
	}
	contactParams struct {
		Contact string `json:"contact"`
		Name    string `json:"name,omitempty"`
		Set     bool   `json:"set,omitempty"`
		Seen    string `json:"seen,omitempty"`
	}
	passphraseParams struct {
		Passphrase string `json:"passphrase"`
	}
	eventParams struct {
		After int64 `json:"after"`
	}
)
