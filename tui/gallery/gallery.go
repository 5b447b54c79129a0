// Package gallery shows the pictures of messages: small in the conversation, in
// half blocks, and one at a time large on the whole screen, by the best means
// that the terminal has.
package gallery

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/picture"
	"starling/tui/theme"
)

// The size to which pictures are reduced for the conversation, in pixels: two
// of them stand above each other in a cell.
const (
	thumbWidth  = 96
	thumbHeight = 64
)

// zoomTime is how long the screen has to be empty before a picture is drawn
// past the renderer.
const zoomTime = 80 * time.Millisecond

// Gallery keeps the pictures of one app. It belongs to the goroutine of the
// screen.
type Gallery struct {
	// Width and Height are the size of the screen in cells.
	Width, Height int
	// Closed is done after the large picture is closed by its own key.
	Closed func() tea.Cmd

	desk         *desk.Desk
	kind         picture.Kind
	cellW, cellH int                    // pixels of a cell, 0 if it is not known
	thumbs       map[string]*image.RGBA // by message; nil: asked for, or cannot be shown

	image *image.RGBA // shown large
	card  *dialog.Card
}

// New returns an empty gallery for a kind of terminal.
func New(d *desk.Desk, kind picture.Kind) *Gallery {
	return &Gallery{desk: d, kind: kind, thumbs: map[string]*image.RGBA{}}
}

// Unsure reports whether the terminal may be able to do more than is known.
func (g *Gallery) Unsure() bool { return g.kind == picture.Half }

// Colours takes the colours of the terminal, by Bubble Tea's name of them.
func (g *Gallery) Colours(profile string) {
	if profile != "TrueColor" && profile != "ANSI256" {
		g.kind = picture.None
	}
}

// Attributes takes the terminal's own list of abilities; 4 is sixel.
func (g *Gallery) Attributes(list []int) {
	if g.Unsure() && slices.Contains(list, 4) {
		g.kind = picture.Sixel
	}
}

// CellSize takes the size of a cell in pixels.
func (g *Gallery) CellSize(width, height int) { g.cellW, g.cellH = width, height }

// Picture draws the picture of a message in half blocks.
func (g *Gallery) Picture(id string, width, height int) []string {
	img := g.thumbs[id]
	if img == nil || g.kind == picture.None {
		return nil
	}
	return picture.Blocks(img, width, height)
}

// Blocks draws any picture in half blocks, if the terminal has the colours for one and
// names and texts are not hidden.
func (g *Gallery) Blocks(img *image.RGBA, width, height int) []string {
	if img == nil || g.kind == picture.None || g.desk.Hidden {
		return nil
	}
	return picture.Blocks(img, width, height)
}

// Forget drops the picture of a message.
func (g *Gallery) Forget(id string) { delete(g.thumbs, id) }

// Empty drops every picture.
func (g *Gallery) Empty() {
	clear(g.thumbs)
	g.image, g.card = nil, nil
}

// Look has the pictures of messages decoded that are not yet, away from the
// screen. touch has a message drawn again.
func (g *Gallery) Look(pictured []api.Message, touch func(id string)) tea.Cmd {
	if g.kind == picture.None || g.desk.Hidden {
		return nil
	}

	var todo []api.Message
	for _, m := range pictured {
		if _, asked := g.thumbs[m.ID]; !asked && len(m.Picture.Data) > 0 && !m.Deleted {
			g.thumbs[m.ID] = nil
			todo = append(todo, m)
		}
	}
	if len(todo) == 0 {
		return nil
	}

	return desk.Ask(g.desk, func(context.Context) (map[string]*image.RGBA, error) {
		return reduce(todo), nil
	}, func(thumbs map[string]*image.RGBA, _ error) tea.Cmd {
		for id, img := range thumbs {
			g.thumbs[id] = img
			touch(id)
		}
		return nil
	})
}

// reduce decodes and reduces the pictures that can be.
func reduce(messages []api.Message) map[string]*image.RGBA {
	thumbs := map[string]*image.RGBA{}
	for _, m := range messages {
		if img, err := picture.Decode(m.Picture.Data); err == nil {
			w, h := picture.Fit(img.Bounds().Dx(), img.Bounds().Dy(), thumbWidth, thumbHeight)
			thumbs[m.ID] = picture.Scale(img, w, h)
		}
	}
	return thumbs
}

// errNoPicture says that a message has none any more.
var errNoPicture = errors.New("no picture")

// Zoom shows the picture of a message on the whole screen.
func (g *Gallery) Zoom(m api.Message) tea.Cmd {
	switch {
	case g.desk.Hidden:
		return g.desk.Say("Pictures are hidden too. f5 shows them.")
	case g.kind == picture.None:
		return g.desk.Say("This terminal has too few colours for a picture.")
	}

	about := g.desk.OneLine(m.Text.String())
	return desk.Ask(g.desk, func(ctx context.Context) (*image.RGBA, error) {
		data := m.Picture.Data
		if data == nil {
			whole, err := g.desk.Node.Message(ctx, m.ID)
			if err != nil {
				return nil, err
			}
			if whole.Picture == nil {
				return nil, errNoPicture
			}
			data = whole.Picture.Data
		}
		return picture.Decode(data)
	}, func(img *image.RGBA, _ error) tea.Cmd {
		return g.open(img, about)
	})
}

// open shows a picture large. The screen may have been hidden or locked since
// it was asked for.
func (g *Gallery) open(img *image.RGBA, about string) tea.Cmd {
	if g.desk.Private() {
		return nil
	}
	if img == nil {
		return g.desk.Complain("This picture cannot be shown: it is damaged, too large, or none.")
	}

	g.image = img
	g.card = &dialog.Card{Bare: true, Leave: g.left, Body: func(th *theme.Theme, width, height int) []string {
		return g.body(th, img, about, width, height)
	}}
	g.desk.Dialogs.Open(g.card)
	return g.Redraw()
}

// body is the large picture in half blocks, or the place where it is drawn past
// the renderer, with a line about it at the foot.
func (g *Gallery) body(th *theme.Theme, img *image.RGBA, about string, width, height int) []string {
	size := fmt.Sprintf("%d×%d", img.Bounds().Dx(), img.Bounds().Dy())
	foot := th.Muted.Render(size+"  ") + th.Cells.Truncate(about, width/2) + "  " + th.Accent.Render("esc") + " " + th.Muted.Render(th.T("closes"))

	var out []string
	if g.kind == picture.Half {
		out = picture.Blocks(img, width-2, height-3)
		top := (height - 2 - len(out)) / 2
		out = append(make([]string, max(0, top)), out...)
	}
	for len(out) < height-2 {
		out = append(out, "")
	}
	return append(out, "", foot)
}

// Redraw draws the large picture once the screen below it is empty.
func (g *Gallery) Redraw() tea.Cmd {
	if g.card == nil || g.kind == picture.Half {
		return nil
	}
	return tea.Batch(clearScreen, g.desk.Later(zoomTime, g.draw))
}

// draw writes the large picture past the renderer, which leaves the cells below
// it empty.
func (g *Gallery) draw() tea.Cmd {
	if g.card == nil || g.image == nil || g.desk.Private() || g.desk.Dialogs.Top() != dialog.Dialog(g.card) {
		return nil
	}
	s, w, h := picture.Sequence(g.kind, g.image, g.Width-2, g.Height-3, g.cellW, g.cellH)
	if s == "" {
		return nil
	}
	x, y := max(0, (g.Width-w)/2), max(0, (g.Height-2-h)/2)
	return tea.Raw(fmt.Sprintf("\x1b7\x1b[%d;%dH%s\x1b8", y+1, x+1, s))
}

// left is done when the large picture is closed by its own key.
func (g *Gallery) left() tea.Cmd { return tea.Batch(g.Close(), g.Closed()) }

// Close takes the large picture from the screen.
func (g *Gallery) Close() tea.Cmd {
	if g.card == nil {
		return nil
	}
	g.desk.Dialogs.Remove(g.card)
	g.card, g.image = nil, nil

	switch g.kind {
	case picture.Kitty:
		return tea.Batch(g.Wipe(), clearScreen)
	case picture.Sixel, picture.ITerm2:
		return clearScreen
	}
	return nil
}

// Wipe takes away the pictures that the terminal itself keeps.
func (g *Gallery) Wipe() tea.Cmd {
	if g.kind != picture.Kitty {
		return nil
	}
	return tea.Raw(picture.KittyClear)
}

func clearScreen() tea.Msg { return tea.ClearScreen() }
