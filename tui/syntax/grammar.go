package syntax

import "strings"

// A grammar is as much of a language as colours need.
type grammar struct {
	line   []string    // begin a comment that ends with the line
	block  [][2]string // around a comment
	quotes string      // around a text within a line, in which \ hides one
	long   []string    // around a text of several lines
	words  string      // keywords
	fold   bool        // their case does not matter
	marks  marks
}

// Marks are things that a language colours beside all that.
type marks uint8

const (
	keys     marks = 1 << iota // names and texts before a colon
	sections                   // lines in brackets
	tags                       // names behind <; texts are within > alone
	commands                   // names behind a backslash
	changes                    // whole lines, by their first character
)

var (
	slashes = []string{"//"}
	hash    = []string{"#"}
	stars   = [][2]string{{"/*", "*/"}}
)

// grammars by the names of languages.
var grammars = map[string]grammar{
	"go": {line: slashes, block: stars, quotes: `"'`, long: []string{"`"},
		words: "break case chan const continue default defer else fallthrough false for func go goto if import interface iota map nil package range return select struct switch true type var any bool byte error float32 float64 int int8 int16 int32 int64 rune string uint uint8 uint16 uint32 uint64 uintptr"},
	"python": {line: hash, quotes: `"'`, long: []string{`"""`, "'''"},
		words: "and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match None nonlocal not or pass raise return True False try while with yield"},
	"javascript": {line: slashes, block: stars, quotes: `"'`, long: []string{"`"}, words: ofJavaScript},
	"typescript": {line: slashes, block: stars, quotes: `"'`, long: []string{"`"},
		words: ofJavaScript + " abstract any as boolean declare enum implements interface is keyof namespace never number private protected public readonly string type unknown"},
	"c":   {line: slashes, block: stars, quotes: `"'`, words: ofC},
	"c++": {line: slashes, block: stars, quotes: `"'`, words: ofC + " auto bool catch class concept constexpr decltype delete explicit false friend mutable namespace new noexcept nullptr operator override private protected public requires template this throw true try typename using virtual"},
	"rust": {line: slashes, block: stars, quotes: `"`,
		words: "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while bool char f32 f64 i8 i16 i32 i64 i128 isize str u8 u16 u32 u64 u128 usize"},
	"java":   {line: slashes, block: stars, quotes: `"'`, long: []string{`"""`}, words: ofJava},
	"kotlin": {line: slashes, block: stars, quotes: `"'`, long: []string{`"""`}, words: "as break by catch class companion const continue data do else enum false finally for fun if import in init inline interface internal is lateinit null object open override package private protected public return sealed super suspend this throw true try typealias val var when while"},
	"swift":  {line: slashes, block: stars, quotes: `"`, long: []string{`"""`}, words: "actor as async await break case catch class continue default defer deinit do else enum extension false fileprivate for func guard if import in init inout internal is let nil open operator private protocol public repeat return self static struct subscript super switch throw throws true try typealias var where while"},
	"scala":  {line: slashes, block: stars, quotes: `"`, long: []string{`"""`}, words: "abstract case catch class def do else enum extends extension false final finally for given if implicit import lazy match new null object override package private protected return sealed super then this throw trait true try type using val var while with yield"},
	"c#":     {line: slashes, block: stars, quotes: `"'`, words: ofJava + " as async await base bool decimal delegate event foreach get in is lock namespace object operator out override params readonly ref sealed set sizeof string struct uint ulong unsafe ushort using var virtual where"},
	"bash": {line: hash, quotes: `"'`,
		words: "case do done elif else esac export fi for function if in local readonly return select set shift source then trap unset until while"},
	"powershell": {line: hash, block: [][2]string{{"<#", "#>"}}, quotes: `"'`, fold: true, words: "begin break catch class continue data do else elseif end enum exit filter finally for foreach function if in param process return switch throw trap try until using while"},
	"json":       {quotes: `"`, words: "true false null", marks: keys},
	"yaml":       {line: hash, quotes: `"'`, words: "true false null yes no", marks: keys},
	"toml":       {line: hash, quotes: `"'`, long: []string{`"""`, "'''"}, words: "true false", marks: sections},
	"ini":        {line: []string{";", "#"}, quotes: `"`, marks: sections},
	"xml":        {block: [][2]string{{"<!--", "-->"}, {"<![CDATA[", "]]>"}}, quotes: `"'`, marks: tags},
	"html":       {block: [][2]string{{"<!--", "-->"}}, quotes: `"'`, marks: tags},
	"css":        {block: stars, quotes: `"'`, words: "important inherit initial none auto"},
	"sql": {line: []string{"--"}, block: stars, quotes: `"'`, fold: true,
		words: "add all alter and as asc begin between by case check column commit constraint create cross default delete desc distinct drop else end exists false foreign from full group having if in index inner insert into is join key left like limit not null offset on or order outer primary references right rollback select set table then transaction trigger true union unique update using values view when where with"},
	"diff": {marks: changes},
	"ruby": {line: hash, quotes: `"'`, words: "alias and begin break case class def defined? do else elsif end ensure false for if in module next nil not or redo rescue retry return self super then true undef unless until when while yield require attr_accessor attr_reader"},
	"php":  {line: []string{"//", "#"}, block: stars, quotes: `"'`, fold: true, words: "abstract and array as break case catch class clone const continue default do echo else elseif extends false final finally fn for foreach function global if implements include instanceof interface match namespace new null or private protected public require require_once return static switch this throw trait true try use var while yield"},
	"perl": {line: hash, quotes: `"'`, words: "and cmp die do else elsif eq for foreach ge gt if last le local lt my ne next no not or our package print redo require return sub unless until use while"},
	"lua":  {line: []string{"--"}, block: [][2]string{{"--[[", "]]"}}, quotes: `"'`, long: nil, words: "and break do else elseif end false for function goto if in local nil not or repeat return then true until while"},
	"haskell": {line: []string{"--"}, block: [][2]string{{"{-", "-}"}}, quotes: `"`,
		words: "case class data default deriving do else family forall foreign if import in infix infixl infixr instance let module newtype of qualified then type where"},
	"ocaml":    {block: [][2]string{{"(*", "*)"}}, quotes: `"`, words: "and as assert begin class constraint do done downto else end exception external false for fun function functor if in include inherit initializer lazy let match method module mutable new object of open or private rec sig struct then to true try type val virtual when while with"},
	"elixir":   {line: hash, quotes: `"'`, long: []string{`"""`}, words: "after alias and case catch cond def defimpl defmacro defmodule defp defprotocol defstruct do else end false fn for if import in nil not or quote raise receive require rescue true try unless unquote use when with"},
	"erlang":   {line: []string{"%"}, quotes: `"'`, words: "after and andalso band begin bnot bor bsl bsr bxor case catch cond div end fun if let not of or orelse receive rem try when xor"},
	"zig":      {line: slashes, quotes: `"'`, words: "align allowzero and anyframe anytype asm async await break catch comptime const continue defer else enum errdefer error export extern false fn for if inline noalias null or orelse packed pub resume return struct suspend switch test threadlocal true try undefined union unreachable usingnamespace var volatile while"},
	"nix":      {line: hash, block: stars, quotes: `"`, long: []string{"''"}, words: "assert else false if import in inherit let null or rec then true with"},
	"r":        {line: hash, quotes: `"'`, words: "break else FALSE for function if in Inf NA NaN next NULL repeat return TRUE while"},
	"docker":   {line: hash, quotes: `"'`, words: "ADD ARG AS CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR"},
	"make":     {line: hash, quotes: `"'`, words: "define else endef endif export ifdef ifeq ifndef ifneq include override", marks: keys},
	"protobuf": {line: slashes, block: stars, quotes: `"'`, words: "bool bytes double enum extend false fixed32 fixed64 float import int32 int64 map message oneof option optional package repeated required reserved returns rpc service sint32 sint64 stream string syntax true uint32 uint64"},
	"tex":      {line: []string{"%"}, marks: commands},
	"viml":     {quotes: `'`, words: "augroup autocmd call command echo else elseif endfor endfunction endif endwhile execute finish for function if let map nnoremap normal return set silent syntax while"},
}

const (
	ofJavaScript = "async await break case catch class const continue debugger default delete do else export extends false finally for from function get if import in instanceof let new null of return set static super switch this throw true try typeof undefined var void while with yield"
	ofC          = "break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"
	ofJava       = "abstract assert boolean break byte case catch char class const continue default do double else enum extends false final finally float for if implements import instanceof int interface long native new null package private protected public record return short static super switch synchronized this throw throws true try var void volatile while yield"
)

// known reports whether a name is a keyword.
func (g *grammar) known(name string) bool {
	if g.fold {
		name = strings.ToLower(name)
	}
	for rest := g.words; name != ""; {
		at := strings.Index(rest, name)
		if at < 0 {
			return false
		}
		end := at + len(name)
		if (at == 0 || rest[at-1] == ' ') && (end == len(rest) || rest[end] == ' ') {
			return true
		}
		rest = rest[end:]
	}
	return false
}
