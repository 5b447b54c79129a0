// Package emoji is a small choice of emoji with their names, for reacting and
// for writing on keyboards that have none. All of them are one code point that
// terminals agree on the width of.
package emoji

import "slices"

// An Emoji is one character and its English name.
type Emoji struct{ Char, Name string }

// All are the emoji, those that people react with first.
var All = []Emoji{
	{"👍", "thumbs up"}, {"👎", "thumbs down"}, {"🙏", "thank you"}, {"😂", "tears of joy"},
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
		for _, e := range All {
			if e.Char == c {
				out = append(out, e)
			}
		}
	}
	for _, e := range All {
		if !slices.Contains(r, e.Char) {
			out = append(out, e)
		}
	}
	return out
}

// Named returns the emoji of a name, or "".
func Named(name string) string {
	for _, e := range All {
		if e.Name == name {
			return e.Char
		}
	}
	return ""
}
