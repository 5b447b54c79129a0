package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"starling/node/api"
)

// Exit codes. They are a contract with scripts: docs/COMMANDS.md lists them,
// and a number never changes its meaning.
const (
	exitOK          = 0
	exitInternal    = 1
	exitUsage       = 2
	exitNoProfile   = 3
	exitPassphrase  = 4
	exitDamaged     = 5
	exitInUse       = 6
	exitContact     = 7
	exitInvite      = 8
	exitMessage     = 9
	exitTimeout     = 10
	exitNetwork     = 11
	exitDisk        = 12
	exitUnwell      = 13
	exitMismatch    = 14
	exitInterrupted = 130 // 128 + SIGINT, as shells count
)

// exits are the meanings of the codes, for the man pages.
var exits = []struct {
	code    int
	meaning string
}{
	{exitOK, "Done."},
	{exitInternal, "Internal error."},
	{exitUsage, "The command was called wrongly."},
	{exitNoProfile, "There is no profile."},
	{exitPassphrase, "Wrong passphrase, none given, or a new one that is too easy to guess."},
	{exitDamaged, "The profile is damaged."},
	{exitInUse, "Another node runs on the profile and cannot be reached; a testnet is up already, or of another version."},
	{exitContact, "Contact or room: unknown, ambiguous, the name is taken, full, not allowed by your role, you are not in it, or something else holds by now."},
	{exitInvite, "Invite: truncated or foreign, expired, used, one's own, unknown."},
	{exitMessage, "Message: empty, too long, not UTF-8, unknown, given up; a testnet that failed."},
	{exitTimeout, "Time ran out; a message stays in the outbox."},
	{exitNetwork, "Network: no relay can be reached, too few for a route, or none runs here, or no testnet."},
	{exitDisk, "The disk is full."},
	{exitUnwell, "Doctor: a check failed."},
	{exitMismatch, "The safety numbers differ: somebody may sit between you."},
	{exitInterrupted, "Interrupted before it was done."},
}

// Codes that only the command line has.
const (
	codeGivenUp     api.Code = "message_failed"
	codeMismatch    api.Code = "safety_mismatch"
	codeInterrupted api.Code = "interrupted"
)

// outcome is how an error code ends a command. The hint is for errors that
// bring none of their own.
type outcome struct {
	exit int
	hint string
}

// outcomes has a line for every code of node/api; a test holds it complete.
var outcomes = map[api.Code]outcome{
	api.CodeInternal:        {exitInternal, "run the command again with --verbose to see more"},
	api.CodeClosed:          {exitInternal, "the node was shutting down; run the command again"},
	api.CodeUsage:           {exitUsage, "see starling help"},
	api.CodeProfileExists:   {exitUsage, "use that profile, or choose another folder with --profile"},
	api.CodeNoBridge:        {exitUsage, "see those of the profile with: starling bridge list"},
	api.CodeNoProfile:       {exitNoProfile, "make one with: starling init --name NAME, or run: starling"},
	api.CodeWrongPassphrase: {exitPassphrase, "try again; a lost passphrase cannot be recovered"},
	api.CodeWeakPassphrase:  {exitPassphrase, "four or five words that do not belong together are good"},
	api.CodeLocked:          {exitPassphrase, "unlock it where it was locked, or give its passphrase: --passphrase-file FILE, or $STARLING_PASSPHRASE"},
	api.CodeDamaged:         {exitDamaged, "restore the profile from a backup; nothing was changed"},
	api.CodeInUse:           {exitInUse, "stop the other node, or use it: other commands connect to it by themselves"},
	api.CodeNoContact:       {exitContact, "see who is there with: starling contact list"},
	api.CodeAmbiguous:       {exitContact, "use the contact's id from: starling contact list --json"},
	api.CodeContactExists:   {exitContact, "choose another name with --name"},
	api.CodeNoRoom:          {exitContact, "see the rooms with: starling room list"},
	api.CodeNoMember:        {exitContact, "see who is in it with: starling room members ROOM"},
	api.CodeRoomFull:        {exitContact, "a room holds 32 people; make another one"},
	api.CodeRank:            {exitContact, "ask the owner or an admin: starling room members ROOM"},
	api.CodeNotReady:        {exitContact, "see how you stand in it with: starling room list"},
	api.CodeChanged:         {exitContact, "look again, and decide again"},
	api.CodeBadInvite:       {exitInvite, "copy the whole link, from \"starling:\" to its end, and try again"},
	api.CodeInviteExpired:   {exitInvite, "ask for a new invite"},
	api.CodeInviteGone:      {exitInvite, "an invite works once; ask for a new one"},
	api.CodeOwnInvite:       {exitInvite, "send the link to the person you want to talk to"},
	api.CodeNoInvite:        {exitInvite, "it was used, withdrawn or has expired; make one with: starling invite"},
	api.CodeEmpty:           {exitMessage, "write some text: starling send CONTACT TEXT, or pipe it in"},
	api.CodeTooLong:         {exitMessage, "split the text; one message holds 32 KiB"},
	api.CodeBadText:         {exitMessage, "messages are UTF-8 text; convert it first, for example with iconv"},
	api.CodeNoMessage:       {exitMessage, "see the stored messages with: starling history CONTACT"},
	codeGivenUp:             {exitMessage, "send it again"},
	codeMismatch:            {exitMismatch, "compare again in person; until then, do not take this contact for verified"},
	codeUnwell:              {exitUnwell, "each line that failed says what to do"},
	codeLost:                {exitMessage, "see what happened in a report: --report DIR"},
	api.CodeTimeout:         {exitTimeout, "try again, or allow more time with --timeout"},
	api.CodeOffline:         {exitNetwork, "check the connection, or give a relay's address with --bootstrap"},
	api.CodeFewRelays:       {exitNetwork, "wait for more relays, or give another one with --bootstrap; see starling status"},
	codeNoTestnet:           {exitNetwork, "start it: starling testnet up SCENARIO.toml; see those that are up: starling testnet status"},
	codeTestnetDead:         {exitNetwork, "clear it away: starling testnet down NAME"},
	codeTestnetUp:           {exitInUse, "use it, end it with starling testnet down NAME, or give this one another --name"},
	codeTestnetForeign:      {exitInUse, "use the starling that started it, or end it with starling testnet down NAME and start it again"},
	codeNoRelay:             {exitNetwork, "start it: starling relay --listen MULTIADDR..."},
	api.CodeDiskFull:        {exitDisk, "free some space and try again; nothing was lost"},
}

// failure turns any error into the one that a person is told and the exit code
// of the command.
func failure(ctx context.Context, err error) (*api.Error, int) {
	var told *api.Error
	switch {
	case errors.As(err, &told):
		copied := *told
		told = &copied
	case ctx.Err() != nil:
		return &api.Error{Code: codeInterrupted, Message: "interrupted"}, exitInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		told = &api.Error{Code: api.CodeTimeout, Message: "time ran out"}
	case errors.Is(err, syscall.ENOSPC):
		told = &api.Error{Code: api.CodeDiskFull, Message: "the disk is full"}
	case errors.Is(err, fs.ErrPermission):
		told = &api.Error{Code: api.CodeInternal, Message: err.Error(), Hint: "check who owns the file and its permissions"}
	default:
		told = &api.Error{Code: api.CodeInternal, Message: err.Error()}
	}

	o, ok := outcomes[told.Code]
	if !ok { // a newer node's code
		o = outcomes[api.CodeInternal]
	}
	if told.Hint == "" {
		told.Hint = o.hint
	}
	return told, o.exit
}

// fail prints an error and returns the exit code. With --json the words are
// followed by one line {"error":{"code":…,"message":…,"hint":…,"exit":…}}.
func (c *console) fail(ctx context.Context, err error) int {
	told, exit := failure(ctx, err)
	fmt.Fprintf(c.err, "starling: %s\n", own(told.Message))
	if told.Hint != "" {
		fmt.Fprintf(c.err, "hint: %s\n", own(told.Hint))
	}
	if c.json {
		type object struct {
			*api.Error
			Exit int `json:"exit"`
		}
		line, jsonErr := json.Marshal(map[string]object{"error": {told, exit}})
		if jsonErr == nil {
			fmt.Fprintf(c.err, "%s\n", line)
		}
	}
	return exit
}

// usage is an error in how a command was called.
func usage(hint, format string, args ...any) error {
	return &api.Error{Code: api.CodeUsage, Message: fmt.Sprintf(format, args...), Hint: hint}
}
