// Package emoji is a small choice of emoji with their names, for reacting and
// for writing on keyboards that have none. All of them but the heart are one code
// point that terminals agree on the width of.
package emoji

import (
	"slices"
	"strings"
	"sync"

	"starling/tui/catalogue"
)

// An Emoji is one character and its English name.
type Emoji struct{ Char, Name string }

// All are the emoji, those that people react with first.
var All = []Emoji{
	{"👍", "thumbs up"}, {"❤️", "red heart"}, {"👎", "thumbs down"}, {"🙏", "thank you"}, {"😂", "tears of joy"},
	{"🎉", "party"}, {"😮", "surprised"}, {"😢", "crying"}, {"🔥", "fire"}, {"👀", "eyes"},
	{"💯", "hundred"}, {"👏", "applause"}, {"🤔", "thinking"}, {"✅", "done"}, {"❌", "no"},
	{"💚", "green heart"}, {"💜", "purple heart"}, {"💔", "broken heart"}, {"😀", "smile"},
	{"😁", "grin"}, {"😅", "phew"}, {"😉", "wink"}, {"😊", "blush"}, {"😍", "in love"},
	{"😘", "kiss"}, {"😎", "cool"}, {"😐", "neutral"}, {"🙄", "rolling eyes"}, {"😏", "smirk"},
	{"😴", "asleep"}, {"😜", "silly"}, {"😞", "disappointed"}, {"😟", "worried"}, {"😡", "angry"},
	{"😭", "sobbing"}, {"😱", "scream"}, {"🤯", "mind blown"}, {"🥳", "celebrating"},
	{"🥺", "please"}, {"🤗", "hug"}, {"🤝", "handshake"}, {"🤷", "shrug"}, {"🙈", "not looking"},
	{"👋", "wave"}, {"👌", "perfect"}, {"💪", "strong"}, {"🤞", "fingers crossed"}, {"🙌", "hooray"},
	{"🐛", "bug"}, {"🐢", "turtle"}, {"🐦", "bird"}, {"🐱", "cat"}, {"🐶", "dog"},
	{"🌞", "sun"}, {"🌙", "moon"}, {"🌈", "rainbow"}, {"🌱", "seedling"}, {"🌹", "rose"},
	{"🍀", "luck"}, {"🍕", "pizza"}, {"🍰", "cake"}, {"🍺", "beer"}, {"🍷", "wine"}, {"☕", "coffee"},
	{"🎂", "birthday"}, {"🎁", "present"}, {"🎵", "music"}, {"🏠", "home"}, {"🚀", "rocket"},
	{"🚲", "bicycle"}, {"🚆", "train"}, {"⏰", "alarm clock"}, {"⏳", "waiting"}, {"📌", "pin"},
	{"📎", "paper clip"}, {"📷", "camera"}, {"🔑", "key"}, {"🔒", "locked"}, {"💡", "idea"},
	{"💬", "speech"}, {"💤", "sleep"}, {"💣", "bomb"}, {"🚧", "under construction"}, {"❓", "question"},
	{"❗", "exclamation"}, {"⭐", "star"}, {"✨", "sparkles"},
}

// maxRecent is how many are remembered.
const maxRecent = 8

// Recent are the last ones used, the latest first.
type Recent []string

// Use remembers one.
func (r *Recent) Use(char string) {
	kept := slices.DeleteFunc(slices.Clone(*r), func(c string) bool { return c == char })
	*r = append(Recent{char}, kept[:min(len(kept), maxRecent-1)]...)
}

// Sorted returns all emoji, the recent ones first.
func (r Recent) Sorted() []Emoji {
	var out []Emoji
	for _, c := range r {
		i := slices.IndexFunc(All, func(e Emoji) bool { return e.Char == c })
		if i < 0 {
			out = append(out, Emoji{Char: c}) // one that was typed
			continue
		}
		out = append(out, All[i])
	}
	for _, e := range All {
		if !slices.Contains(r, e.Char) {
			out = append(out, e)
		}
	}
	return out
}

// names are the names of all emoji in every language, in lower case.
var names = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	for _, e := range All {
		all[e.Char] = []string{e.Name}
	}
	for _, language := range catalogue.Languages {
		words := catalogue.New(language)
		for _, e := range All {
			all[e.Char] = append(all[e.Char], strings.ToLower(words.Text(e.Name)))
		}
	}
	return all
})

// Names returns the names of an emoji in every language: people type in more than the
// one that they read.
func Names(e Emoji) []string { return names()[e.Char] }

// Named returns the emoji of a name in any language and case, or "".
func Named(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	for _, e := range All {
		if slices.Contains(Names(e), name) {
			return e.Char
		}
	}
	return ""
}
