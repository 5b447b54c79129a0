package tui

import (
	"testing"

	"starling/tui/catalogue"
	"starling/tui/dialog"
	"starling/tui/keymap"
)

// wishes are what people look for, in their words, and the action that they should find.
var wishes = map[string]map[string]keymap.ID{
	"en": {
		"add friend": keymap.Invite, "new contact": keymap.Invite, "invite": keymap.Invite, "qr code": keymap.Invite, "paste link": keymap.AddContact,
		"join": keymap.Join, "accept": keymap.AddContact, "open invites": keymap.Invites, "revoke": keymap.Invites, "pending links": keymap.Invites,
		"fingerprint": keymap.Verify, "safety number": keymap.Verify, "rename": keymap.Rename, "nickname": keymap.Rename, "ban": keymap.Block, "ignore": keymap.Block,
		"unblock": keymap.Block, "delete contact": keymap.Remove, "remove": keymap.Remove, "pin": keymap.Pin, "favourite": keymap.Pin, "mute": keymap.Mute,
		"silence": keymap.Mute, "archive": keymap.Archive, "hidden chats": keymap.Archived, "disappearing": keymap.Timer, "self-destruct": keymap.Timer, "expire": keymap.Timer,
		"settings": keymap.Settings, "preferences": keymap.Settings, "read receipts": keymap.Settings, "password": keymap.Passphrase, "change passphrase": keymap.Passphrase,
		"backup": keymap.Backup, "export": keymap.Backup, "restore": keymap.Restore, "import": keymap.Restore, "lock": keymap.Lock, "panic": keymap.Wipe, "destroy": keymap.Wipe,
		"privacy": keymap.Incognito, "hide names": keymap.Incognito, "help": keymap.Help, "shortcuts": keymap.Help, "keys": keymap.Help, "network": keymap.Network,
		"guards": keymap.Network, "offline": keymap.Network, "quit": keymap.QuitAtOnce, "exit": keymap.QuitAtOnce, "search": keymap.Search, "search everywhere": keymap.SearchAll,
		"quote": keymap.Reply, "reply": keymap.Reply, "typo": keymap.EditMessage, "unsend": keymap.Delete, "like": keymap.React, "share": keymap.Forward, "copy": keymap.Copy,
		"photo": keymap.Zoom, "expand": keymap.Unfold, "resend": keymap.Retry, "smiley": keymap.Emoji, "vim": keymap.Edit, "undo": keymap.Undo, "sidebar": keymap.Details, "mouse": keymap.Mouse,
	},
	"de": {
		"neuer kontakt": keymap.Invite, "freund hinzufügen": keymap.Invite, "sicherheitsnummer": keymap.Verify, "passwort": keymap.Passphrase, "wiederherstellen": keymap.Restore,
		"sichern": keymap.Backup, "löschen kontakt": keymap.Remove, "umbenennen": keymap.Rename, "beenden": keymap.QuitAtOnce, "einstellungen": keymap.Settings, "hilfe": keymap.Help,
	},
	"ru": {
		"новый контакт": keymap.Invite, "пароль": keymap.Passphrase, "восстановить": keymap.Restore, "код безопасности": keymap.Verify, "выход": keymap.QuitAtOnce, "настройки": keymap.Settings, "справка": keymap.Help,
	},
}

func TestPaletteFindsWishes(t *testing.T) {
	for language, all := range wishes {
		choices := paletteChoices(keymap.Default(), catalogue.New(language), keymap.Composer, nil)
		names := map[string]keymap.ID{}
		for _, a := range keymap.Default().Palette() {
			names[catalogue.New(language).Text(a.Name)] = a.ID
		}
		for wish, want := range all {
			found := dialog.Find(choices, wish)
			if len(found) == 0 {
				t.Errorf("%s: %q finds nothing", language, wish)
				continue
			}
			if got := names[found[0].Label]; got != want {
				t.Errorf("%s: %q finds %q, not %q", language, wish, got, want)
			}
			if wish == "restore" && len(found) != 1 {
				t.Errorf("restore finds %d more, the second %q", len(found)-1, found[1].Label)
			}
		}
	}
}
