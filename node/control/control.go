// Package control serves a node's api as JSON over HTTP/1.1 on a unix socket, so
// that commands, screens and bots of other processes use the node that runs. The
// socket has mode 0600 in a folder of mode 0700: its user is the profile's owner,
// and there is no other check.
//
// # Requests
//
// Each method of [api.Node] is a path, /v1/NAME; docs/API.md lists them. Its
// arguments are one JSON object in the body of a POST, at most 1 MiB. A method
// without arguments takes a GET as well.
//
//	curl --unix-socket control.sock http://starling/v1/status
//	curl --unix-socket control.sock http://starling/v1/send -d '{"contact":"Bob","text":"hi"}'
//
// # Answers
//
// A value is one JSON object; a method without a value answers {}. A list, and the
// stream of events, is one JSON object a line as they come, ended by the last
// chunk of the body: a body that is cut off is a list that is not whole. A slow
// reader is waited for; nothing is dropped. A closed connection ends its request.
//
// # Errors
//
// A locked profile refuses strangers: see the methods lock and enter.
//
// An error is {"error":{"code":"…","message":"…","hint":"…"}} with one of the codes of
// package api, under a status of 400 and above that follows from the code. In a
// list that has begun it is the last line.
package control

import (
	"context"
	"errors"
	"net/http"
	"time"

	"starling/node/api"
)

const (
	prefix = "/v1/"

	// maxBody is the largest request in bytes. A picture or a file is a twentieth of it.
	maxBody = 1 << 20
	// maxRequests is how many requests run at a time. More wait.
	maxRequests = 256
	// headerTime is how long a client has to send a request's header.
	headerTime = 10 * time.Second
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

// failure is an error as it travels.
type failure struct {
	Error *api.Error `json:"error"`
}

// asError returns the [api.Error] of an error. One that is not for people is
// internal.
func asError(err error) *api.Error {
	var e *api.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return closedError
	}
	return &api.Error{Code: api.CodeInternal, Message: err.Error()}
}

var closedError = &api.Error{Code: api.CodeClosed, Message: "the node has ended", Hint: "start it again"}

// status returns the HTTP status of a code.
func status(c api.Code) int {
	switch c {
	case api.CodeNoProfile, api.CodeNoContact, api.CodeNoInvite, api.CodeNoMessage, api.CodeNoRoom, api.CodeNoMember, api.CodeNoBridge:
		return http.StatusNotFound
	case api.CodeWrongPassphrase, api.CodeWeakPassphrase, api.CodeLocked:
		return http.StatusForbidden
	case api.CodeProfileExists, api.CodeInUse, api.CodeContactExists, api.CodeAmbiguous, api.CodeChanged:
		return http.StatusConflict
	case api.CodeInviteExpired, api.CodeInviteGone:
		return http.StatusGone
	case api.CodeTooLong:
		return http.StatusRequestEntityTooLarge
	case api.CodeOffline, api.CodeFewRelays, api.CodeClosed:
		return http.StatusServiceUnavailable
	case api.CodeTimeout:
		return http.StatusGatewayTimeout
	case api.CodeDiskFull:
		return http.StatusInsufficientStorage
	case api.CodeInternal, api.CodeDamaged:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
