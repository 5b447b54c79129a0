package tui

import (
	"slices"
	"strings"
	"testing"

	"starling/tui/catalogue"
	"starling/tui/dialog"
	"starling/tui/keymap"
)

// wishes are the words with which people look for an action, in one or two words of
// their language, with commas between them. A new action gets a line.
var wishes = []struct {
	action     keymap.ID
	en, de, ru string
}{
	{keymap.Invite, "add friend, new contact, invite, qr code", "neuer kontakt, freund hinzufügen, einladen, qr code", "новый контакт, пригласить друга, пригласить, qr код"},
	{keymap.Invites, "open invites, revoke, pending links", "offene einladungen, einladung zurückziehen", "открытые приглашения, отозвать приглашение"},
	{keymap.AddContact, "paste link, accept", "link einfügen, annehmen, kontakt hinzufügen", "вставить ссылку, принять приглашение, добавить контакт"},
	{keymap.Join, "join relay, relay address, add bridge", "verbinden, relay adresse, brücke hinzufügen", "подключиться, адрес ретранслятора, добавить мост"},
	{keymap.OwnBridge, "be bridge, help friends, own bridge", "brücke freunde, brücke sein", "быть мостом, мост друзей"},
	{keymap.Verify, "fingerprint, safety number", "sicherheitsnummer, fingerabdruck, kontakt prüfen", "код безопасности, отпечаток, проверить контакт"},
	{keymap.Rename, "rename, nickname, change name", "umbenennen, spitzname, namen ändern", "переименовать, прозвище, сменить имя"},
	{keymap.Block, "ban, ignore, unblock", "blockieren, ignorieren, kontakt sperren", "заблокировать контакт, игнорировать, спам"},
	{keymap.Remove, "delete contact, remove", "löschen kontakt, kontakt entfernen", "удалить контакт, стереть контакт"},
	{keymap.Pin, "pin, favourite", "anheften, favorit", "закрепить, избранное"},
	{keymap.Mute, "mute, silence", "stumm, ruhe", "без звука, тишина"},
	{keymap.Archive, "archive", "archivieren, weglegen", "в архив, скрыть беседу"},
	{keymap.Archived, "hidden chats", "archivierte, versteckte", "показать архив, скрытые"},
	{keymap.Conversation, "chat settings", "unterhaltung einstellungen", "настройки беседы"},
	{keymap.Timer, "disappearing, self-destruct, expire", "verschwinden, selbstzerstörend, timer", "исчезающие, таймер"},
	{keymap.Settings, "settings, preferences, read receipts, theme, own name", "einstellungen, lesebestätigung", "настройки, параметры, уведомления"},
	{keymap.Passphrase, "password, change passphrase", "passwort, passphrase ändern", "пароль, сменить пароль"},
	{keymap.Backup, "backup, save profile", "sichern, sicherung anlegen", "резервная копия, сохранить копию"},
	{keymap.Export, "export, save chat", "exportieren, unterhaltung speichern", "экспорт, сохранить беседу"},
	{keymap.Clear, "clear, delete history", "leeren, verlauf löschen", "очистить, удалить историю"},
	{keymap.Blocked, "blocked, unblock people", "blockierte, gesperrte", "заблокированные, чёрный список"},
	{keymap.FirstSteps, "demo, tutorial", "erste schritte, demo", "первые шаги, демо"},
	{keymap.Restore, "restore, import", "wiederherstellen, importieren", "восстановить, импорт"},
	{keymap.Lock, "lock", "bildschirm sperren, abwesend", "заблокировать экран, отойти"},
	{keymap.Wipe, "panic, destroy", "panik, vernichten", "паника, уничтожить всё"},
	{keymap.Incognito, "privacy, hide names", "privatsphäre, namen verbergen", "приватность, скрыть имена"},
	{keymap.Help, "help, shortcuts, keys", "hilfe, tasten", "справка, клавиши"},
	{keymap.Commands, "slash commands, command list", "befehle, schrägstrich", "команды, слэш"},
	{keymap.Network, "network, guards, offline", "netz, status, wächter", "сеть, состояние, соединение"},
	{keymap.QuitAtOnce, "quit, exit", "beenden, schließen", "выход, закрыть"},
	{keymap.Search, "search, find here", "suchen hier, finden hier", "поиск здесь, найти здесь"},
	{keymap.SearchAll, "search everywhere", "überall suchen", "искать везде, найти везде"},
	{keymap.Switch, "go to, find person", "person finden, springen", "перейти, найти человека"},
	{keymap.NextUnread, "next unread", "nächste ungelesene", "следующая непрочитанная"},
	{keymap.JumpUnread, "first unread", "erste ungelesene", "первое новое"},
	{keymap.Reply, "quote, reply", "zitieren, antworten", "ответить, цитировать"},
	{keymap.EditMessage, "typo, edit message", "tippfehler, nachricht bearbeiten", "опечатка, исправить сообщение"},
	{keymap.Delete, "unsend", "nachricht löschen, nachricht zurückziehen", "удалить сообщение, отозвать сообщение"},
	{keymap.React, "like", "reagieren, daumen", "реакция, лайк"},
	{keymap.Forward, "share", "weiterleiten, teilen", "переслать, поделиться"},
	{keymap.Copy, "copy", "nachricht kopieren, zwischenablage", "скопировать сообщение, буфер"},
	{keymap.Link, "open link, browser", "link öffnen, browser", "открыть ссылку, браузер"},
	{keymap.Attach, "attach, send file, send picture", "datei senden", "отправить файл"},
	{keymap.SaveFile, "download", "herunterladen", "скачать"},
	{keymap.OpenFile, "launch, open file", "datei öffnen, extern ansehen", "открыть файл, просмотр вложение"},
	{keymap.Zoom, "show picture", "bild zeigen", "показать картинку"},
	{keymap.Unfold, "expand", "aufklappen", "развернуть"},
	{keymap.Retry, "resend", "erneut senden", "отправить снова"},
	{keymap.Discard, "drop failed", "verwerfen", "отбросить"},
	{keymap.Original, "quoted message", "zitierte nachricht", "цитата"},
	{keymap.Emoji, "smiley", "smiley, emoji einfügen", "смайлик, вставить эмодзи"},
	{keymap.Edit, "vim", "editor", "редактор"},
	{keymap.Undo, "undo", "rückgängig", "отменить"},
	{keymap.Details, "sidebar", "seitenleiste, einzelheiten", "подробности, боковая"},
	{keymap.Mouse, "mouse", "maus", "мышь"},
	{keymap.RoomNew, "group, new room, create group", "neue gruppe, raum anlegen, kanal", "новая группа, создать комнату, канал"},
	{keymap.RoomJoin, "join, join room, enter group", "raum beitreten, gruppe betreten", "войти комнату, вступить"},
	{keymap.RoomInvite, "invite room, invite group", "raum einladen, mitglieder hinzufügen", "позвать комнату, добавить участников"},
	{keymap.RoomSend, "invite contact, send link", "link senden, kontakt raum", "пригласить контакт, отправить ссылку"},
	{keymap.RoomLinks, "room links, group withdraw", "links raum", "ссылки комнату"},
	{keymap.RoomSettings, "room settings, group name", "raumeinstellungen, raum einstellungen", "комната настройки, группа имя"},
	{keymap.RoomLeave, "leave room, leave group", "raum verlassen, gruppe austreten", "покинуть комнату, уйти группа"},
	{keymap.RoomProof, "proof, liar", "beweis, lügner", "доказательство, ложь"},
	{keymap.Members, "members, kick, roles", "mitglieder, rollen, rauswerfen", "участники, роли, выгнать"},
	{keymap.Door, "approve, requests", "einlass, anfragen", "заявки, кто ждёт"},
	{keymap.Room, "room menu", "raum menü, gruppe menü", "комната меню, группа меню"},
	{keymap.Thread, "thread, discussion", "faden, thread", "ветка, обсуждение"},
	{keymap.NextMention, "mention, names me", "erwähnung", "упоминание"},
	{keymap.Write, "compose, type text", "nachricht schreiben", "написать сообщение"},
	{keymap.NextChat, "next conversation", "nächste unterhaltung", "следующая беседа"},
	{keymap.PrevChat, "previous conversation", "vorige unterhaltung", "предыдущая беседа"},
	{keymap.Bottom, "newest message, latest", "neueste nachricht", "новое сообщение"},
	{keymap.Menu, "message options, context", "nachricht was", "можно сообщением"},
	{keymap.Suspend, "shell, background", "shell", "оболочка"},
	{keymap.Redraw, "refresh", "neu zeichnen", "перерисовать"},
}

// enough is how many wishes there are at least in a language.
const enough = 60

func TestPaletteFindsWishes(t *testing.T) {
	for _, language := range []string{"en", "de", "ru"} {
		words := catalogue.New(language)
		choices := paletteChoices(keymap.Default(), words, keymap.Composer, nil)
		names := map[string]keymap.ID{}
		for _, a := range keymap.Default().Palette() {
			names[words.Text(a.Name)] = a.ID
		}

		n := 0
		for _, w := range wishes {
			for wish := range strings.SplitSeq(map[string]string{"en": w.en, "de": w.de, "ru": w.ru}[language], ", ") {
				if wish == "" {
					continue
				}
				n++
				found := dialog.Find(choices, wish)
				switch {
				case len(strings.Fields(wish)) > 2:
					t.Errorf("%s: %q has more than two words", language, wish)
				case len(found) == 0:
					t.Errorf("%s: %q finds nothing, not %q", language, wish, w.action)
				case names[found[0].Label] != w.action:
					t.Errorf("%s: %q finds %q, not %q", language, wish, names[found[0].Label], w.action)
				}
			}
		}
		if n < enough {
			t.Errorf("%s: %d wishes, of at least %d", language, n, enough)
		}
	}
	for _, a := range keymap.Default().Palette() {
		if !slices.ContainsFunc(wishes, func(w struct {
			action     keymap.ID
			en, de, ru string
		}) bool {
			return w.action == a.ID
		}) {
			t.Errorf("nobody wishes for %q (%s)", a.ID, a.Name)
		}
	}
	if found := dialog.Find(paletteChoices(keymap.Default(), nil, keymap.Composer, nil), "restore"); len(found) != 1 {
		t.Errorf("restore finds %d actions", len(found))
	}
}
