package store

import (
	"encoding/hex"
	"strings"
	"time"
	"unicode"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"golang.org/x/text/unicode/norm"

	"starling/node/api"
)

// The index of all words, of texts and of the names of files, is an FTS5 table in the encrypted database. It holds
// no text, only where each word stands, and forgets a word with its message
// (secure-delete). Words are folded here, so that the index need only split at
// spaces: see [words].
const searchSchema = `
CREATE VIRTUAL TABLE search USING fts5(text, contact, content = '', tokenize = 'ascii');
INSERT INTO search(search, rank) VALUES('secure-delete', 1);
CREATE TRIGGER search_add AFTER INSERT ON messages WHEN new.text || new.file <> '' AND new.state <> 'notice' BEGIN
	INSERT INTO search(rowid, text, contact) VALUES(new.seq, words(new.text || ' ' || new.file), hex(new.contact));
END;
CREATE TRIGGER search_remove AFTER DELETE ON messages WHEN old.text || old.file <> '' AND old.state <> 'notice' BEGIN
	INSERT INTO search(search, rowid, text, contact) VALUES('delete', old.seq, words(old.text || ' ' || old.file), hex(old.contact));
END;
CREATE TRIGGER search_change AFTER UPDATE OF text, file ON messages
WHEN (old.text <> new.text OR old.file <> new.file) AND old.state <> 'notice' BEGIN
	INSERT INTO search(search, rowid, text, contact)
		SELECT 'delete', old.seq, words(old.text || ' ' || old.file), hex(old.contact) WHERE old.text || old.file <> '';
	INSERT INTO search(rowid, text, contact)
		SELECT new.seq, words(new.text || ' ' || new.file), hex(new.contact) WHERE new.text || new.file <> '';
END;
`

const fillSearch = `
INSERT INTO search(rowid, text, contact)
	SELECT seq, words(text || ' ' || file), hex(contact) FROM messages WHERE text || file <> '' AND state <> 'notice';
`

// searchVersion changes with the result of [words]. A word can only be removed as it
// was put in, so the index is then made anew.
const searchVersion = "2 " + unicode.Version + " " + norm.Version

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

// Side is the side of a conversation that wrote a message.
type Side uint8

const (
	Either Side = iota
	Ours
	Theirs
)

// A Filter narrows a search. The zero value of a field narrows nothing.
type Filter struct {
	Words        string // at most [MaxWords]
	Contact      ID
	Side         Side
	Member       MemberID  // of a room
	Since, Until time.Time // when it was sent; Until is left out
	Kind         api.MessageKind
}

// kindIs is the condition of a kind.
var kindIs = map[api.MessageKind]string{
	api.KindText:    "picture = '' AND file = ''",
	api.KindPicture: "picture <> ''",
	api.KindFile:    "file <> ''",
	api.KindLink:    "(text LIKE '%http://_%' OR text LIKE '%https://_%')",
}

// Stretch is how many sequence numbers one call of [MessageTable.Find] looks through, so
// that a rare find does not hold up everybody else.
const Stretch = 20_000

// Find returns up to limit messages that pass a filter, newest first, of the stretch
// before a sequence number; and the number before which to go on, 0 at the end.
func (t MessageTable) Find(f Filter, before int64, limit int) (found []Message, next int64, err error) {
	// A stretch of sequence numbers, so that a search that finds nothing holds the store only briefly.
	newest, err := t.tx.number(`SELECT coalesce(max(seq), 0) FROM messages`)
	if err != nil {
		return nil, 0, err
	}
	before = min(before, newest+1)
	next = max(0, before-Stretch)

	sql := `SELECT ` + messageColumns + ` FROM messages WHERE seq < ? AND seq >= ? AND state <> 'notice' AND deleted = 0 AND hidden = 0`
	args := []any{before, next}
	and := func(cond bool, condition string, arg ...any) {
		if cond {
			sql += ` AND ` + condition
			args = append(args, arg...)
		}
	}

	// Words without a letter or digit are in no index.
	q := query(f.Words, f.Contact)
	if q == "" && strings.TrimSpace(f.Words) != "" {
		return nil, 0, nil
	}
	and(q != "", `seq IN (SELECT rowid FROM search WHERE search MATCH ? AND rowid < ? AND rowid >= ?)`, q, before, next)
	and(!f.Contact.IsZero(), `contact = ?`, f.Contact)
	and(f.Side != Either, `outgoing = ?`, f.Side == Ours)
	and(!f.Member.IsZero(), `member = ?`, f.Member)
	and(!f.Since.IsZero(), `time >= ?`, f.Since)
	and(!f.Until.IsZero(), `time < ?`, f.Until)
	and(f.Kind != "", kindIs[f.Kind])

	found, err = collect(t.tx, scanMessage, sql+` ORDER BY seq DESC LIMIT ?`, append(args, limit)...)
	// The stretch may hold more.
	if len(found) == limit && limit > 0 {
		next = found[limit-1].Seq
	}
	return found, next, err
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
		AND hidden = 0 ORDER BY seq DESC`, q, before, limit)
}
