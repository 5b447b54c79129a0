package store

import (
	"encoding/hex"
	"strings"
	"unicode"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"golang.org/x/text/unicode/norm"
)

// The index of all words is an FTS5 table in the encrypted database. It holds
// no text, only where each word stands, and forgets a word with its message
// (secure-delete). Words are folded here, so that the index need only split at
// spaces: see [words].
const searchSchema = `
CREATE VIRTUAL TABLE search USING fts5(text, contact, content = '', tokenize = 'ascii');
INSERT INTO search(search, rank) VALUES('secure-delete', 1);
CREATE TRIGGER search_add AFTER INSERT ON messages WHEN new.text <> '' AND new.state <> 'notice' BEGIN
	INSERT INTO search(rowid, text, contact) VALUES(new.seq, words(new.text), hex(new.contact));
END;
CREATE TRIGGER search_remove AFTER DELETE ON messages WHEN old.text <> '' AND old.state <> 'notice' BEGIN
	INSERT INTO search(search, rowid, text, contact) VALUES('delete', old.seq, words(old.text), hex(old.contact));
END;
CREATE TRIGGER search_change AFTER UPDATE OF text ON messages WHEN old.text <> new.text AND old.state <> 'notice' BEGIN
	INSERT INTO search(search, rowid, text, contact)
		SELECT 'delete', old.seq, words(old.text), hex(old.contact) WHERE old.text <> '';
	INSERT INTO search(rowid, text, contact)
		SELECT new.seq, words(new.text), hex(new.contact) WHERE new.text <> '';
END;
`

const fillSearch = `
INSERT INTO search(rowid, text, contact)
	SELECT seq, words(text), hex(contact) FROM messages WHERE text <> '' AND state <> 'notice';
`

// searchVersion changes with the result of [words]. A word can only be removed as it
// was put in, so the index is then made anew.
const searchVersion = "1 " + unicode.Version + " " + norm.Version

const searchKey = "search"

// openSearch gives the connection the index and the function that it is made
// with, before any schema is looked at.
func openSearch(conn *sqlite3.Conn) error {
	if err := fts5.Register(conn); err != nil {
		return err
	}
	return conn.CreateFunction("words", 1, sqlite3.DETERMINISTIC|sqlite3.INNOCUOUS,
		func(ctx sqlite3.Context, arg ...sqlite3.Value) { ctx.ResultText(words(arg[0].Text())) })
}

// renewSearch makes the index anew if it was made of other words.
func (s *Store) renewSearch() error {
	tx := newTx(s)
	have, err := one(tx, func(r Row) string { return string(r.Blob(0)) }, `SELECT value FROM meta WHERE key = ?`, searchKey)
	if err == nil && have == searchVersion || err != nil && err != ErrNotFound {
		return err
	}
	script := "BEGIN IMMEDIATE;"
	if err == nil {
		script += "INSERT INTO search(search) VALUES('delete-all');" + fillSearch
	}
	err = s.conn.Exec(script + `INSERT INTO meta(key, value) VALUES('` + searchKey + `', CAST('` + searchVersion + `' AS BLOB))
		ON CONFLICT(key) DO UPDATE SET value = excluded.value; COMMIT`)
	if err != nil && !s.conn.GetAutocommit() {
		s.conn.Exec("ROLLBACK")
	}
	s.dirty = true
	return mapError(err)
}

// words returns a text as its words with spaces between them, in a form that
// is the same for texts that people take for the same: compatibility forms,
// case, accents and points do not count. Scripts that write without spaces
// have one word a character, and so has every emoji.
func words(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	inWord := false // a mark belongs to the character before it
	ended := true   // a letter begins another word
	begin := func() {
		if ended && b.Len() > 0 {
			b.WriteByte(' ')
		}
		inWord, ended = true, false
	}

	for _, r := range norm.NFKD.String(text) {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			begin()
			b.WriteByte(byte(r))
		case 'A' <= r && r <= 'Z':
			begin()
			b.WriteByte(byte(r) + 'a' - 'A')
		case r < 0x80:
			inWord, ended = false, true
		case unicode.Is(unicode.M, r):
			// Accents and points are above class 9, parts of letters below.
			if inWord && norm.NFKD.PropertiesString(string(r)).CCC() <= 9 {
				b.WriteRune(r)
			}
		case unicode.Is(unicode.Cf, r): // joiners are no ends of words
		case r == 'ß' || r == 'ẞ':
			begin()
			b.WriteString("ss")
		case unicode.In(r, alone...):
			ended = true
			begin()
			b.WriteRune(r)
			ended = true
		case unicode.In(r, unicode.L, unicode.N):
			begin()
			b.WriteRune(unicode.ToLower(unicode.ToUpper(r)))
		default:
			inWord, ended = false, true
		}
	}

	return b.String()
}

// alone are the characters that are words of their own.
var alone = []*unicode.RangeTable{unicode.So, unicode.Han, unicode.Hiragana, unicode.Katakana,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

// MaxWords is the longest query in bytes.
const MaxWords = 1 << 10

// query returns the query of the index for all words of a text, the last one as a
// beginning; "" if there are none. Adjacent words of the query must be adjacent in the
// text.
func query(text string, contact ID) string {
	var phrases []string
	for _, chunk := range strings.Fields(text) {
		if w := strings.Fields(words(chunk)); len(w) > 0 {
			phrases = append(phrases, `text : "`+strings.Join(w, " ")+`"`)
		}
	}
	if len(phrases) == 0 {
		return ""
	}
	q := strings.Join(phrases, " AND ") + " *"
	if !contact.IsZero() {
		q = `contact : "` + strings.ToUpper(hex.EncodeToString(contact[:])) + `" AND ` + q
	}
	return q
}

// Search returns up to limit messages before a sequence number that hold all
// words of a text of at most [MaxWords], newest first; those of one contact
// unless it is zero.
func (t MessageTable) Search(text string, contact ID, before int64, limit int) ([]Message, error) {
	q := query(text, contact)
	if q == "" {
		return nil, nil
	}
	return collect(t.tx, scanMessage, `SELECT `+messageColumns+` FROM messages WHERE seq IN (
		SELECT rowid FROM search WHERE search MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?)
		ORDER BY seq DESC`, q, before, limit)
}
