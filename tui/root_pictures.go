package tui

import (
	"context"
	"fmt"
	"image"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
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

// gallery keeps the small pictures of messages, by their IDs.
type gallery struct {
	kind         picture.Kind
	cellW, cellH int
	thumbs       map[string]*image.RGBA // nil: asked for, or cannot be shown

	image *image.RGBA // shown large
	card  *dialog.Card
}

// zoomTime is how long the screen has to be empty before a picture is drawn
// past it.
const zoomTime = 80 * time.Millisecond

type (
	thumbsMsg struct {
		chat   string
		thumbs map[string]*image.RGBA
	}
	zoomMsg struct {
		image *image.RGBA
		about string
		err   error
	}
	zoomDue struct{}
)

// coloured takes how many colours the terminal has.
func (g *gallery) coloured(profile string) {
	if profile != "TrueColor" && profile != "ANSI256" {
		g.kind = picture.None
	}
}

// attributes takes what the terminal says it can; 4 is sixel.
func (g *gallery) attributes(list []int) {
	if g.kind == picture.Half && slices.Contains(list, 4) {
		g.kind = picture.Sixel
	}
}

// Picture draws a picture of a conversation in half blocks.
func (g *gallery) Picture(id string, width, height int) []string {
	img := g.thumbs[id]
	if img == nil || g.kind == picture.None {
		return nil
	}
	return picture.Blocks(img, width, height)
}

func (g *gallery) forget() {
	clear(g.thumbs)
	g.image, g.card = nil, nil
}

// look has the pictures of a conversation decoded that are not yet, away from
// the screen.
func (a *App) look(c *chat) tea.Cmd {
	if a.gallery.kind == picture.None || a.hidden {
		return nil
	}
	var todo []api.Message
	for _, m := range c.view.Pictured() {
		if _, asked := a.gallery.thumbs[m.ID]; !asked && len(m.Picture.Data) > 0 && !m.Deleted {
			a.gallery.thumbs[m.ID] = nil
			todo = append(todo, m)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	id := c.id
	return func() tea.Msg {
		thumbs := map[string]*image.RGBA{}
		for _, m := range todo {
			if img, err := picture.Decode(m.Picture.Data); err == nil {
				w, h := picture.Fit(img.Bounds().Dx(), img.Bounds().Dy(), thumbWidth, thumbHeight)
				thumbs[m.ID] = picture.Scale(img, w, h)
			}
		}
		return thumbsMsg{id, thumbs}
	}
}

func (a *App) gotThumbs(msg thumbsMsg) {
	c := a.chats[msg.chat]
	for id, img := range msg.thumbs {
		a.gallery.thumbs[id] = img
		if c != nil {
			c.view.Touch(id)
		}
	}
}

// zoom shows the picture of a message on the whole screen.
func (a *App) zoom(m api.Message) tea.Cmd {
	switch {
	case a.hidden:
		return a.say("Pictures are hidden too. f5 shows them.")
	case a.gallery.kind == picture.None:
		return a.say("This terminal has too few colours for a picture.")
	}
	about := a.oneLine(m.Text.String())
	return a.call(func(ctx context.Context) tea.Msg {
		data := m.Picture.Data
		if data == nil {
			whole, err := a.node.Message(ctx, m.ID)
			if err != nil || whole.Picture == nil {
				return zoomMsg{err: err}
			}
			data = whole.Picture.Data
		}
		img, err := picture.Decode(data)
		return zoomMsg{img, about, err}
	})
}

func (a *App) gotZoom(msg zoomMsg) tea.Cmd {
	if a.lock.form != nil || a.hidden {
		return nil
	}
	if msg.image == nil {
		return a.complain("This picture cannot be shown: it is damaged, too large, or none.")
	}
	g := &a.gallery
	b := msg.image.Bounds()
	size := fmt.Sprintf("%d×%d", b.Dx(), b.Dy())
	g.image = msg.image
	g.card = &dialog.Card{Bare: true, Body: func(th *theme.Theme, width, height int) []string {
		foot := th.Muted.Render(size+"  ") + th.Cells.Truncate(msg.about, width/2) + "  " + th.Accent.Render("esc") + " " + th.Muted.Render(th.T("closes"))
		var out []string
		if g.kind == picture.Half {
			out = picture.Blocks(msg.image, width-2, height-3)
			top := (height - 2 - len(out)) / 2
			out = append(make([]string, max(0, top)), out...)
		}
		for len(out) < height-2 {
			out = append(out, "")
		}
		return append(out, "", foot)
	}}
	a.dialogs.Open(g.card)
	return a.redrawZoom()
}

// redrawZoom draws the large picture once the screen below it is empty.
func (a *App) redrawZoom() tea.Cmd {
	if a.gallery.card == nil || a.gallery.kind == picture.Half {
		return nil
	}
	return tea.Batch(func() tea.Msg { return tea.ClearScreen() }, a.opts.After(zoomTime, zoomDue{}))
}

// drawZoom writes the large picture past the renderer, which leaves the cells
// below it empty.
func (a *App) drawZoom() tea.Cmd {
	g := &a.gallery
	if g.card == nil || g.image == nil || a.dialogs.Top() != dialog.Dialog(g.card) || a.lock.form != nil {
		return nil
	}
	s, w, h := picture.Sequence(g.kind, g.image, a.width-2, a.height-3, g.cellW, g.cellH)
	if s == "" {
		return nil
	}
	x, y := max(0, (a.width-w)/2), max(0, (a.height-2-h)/2)
	return tea.Raw(fmt.Sprintf("\x1b7\x1b[%d;%dH%s\x1b8", y+1, x+1, s))
}

// closeZoom takes the large picture from the screen.
func (a *App) closeZoom() tea.Cmd {
	g := &a.gallery
	if g.card == nil {
		return nil
	}
	kind := g.kind
	a.dialogs.Remove(g.card)
	g.card, g.image = nil, nil
	clear := func() tea.Msg { return tea.ClearScreen() }
	switch kind {
	case picture.Kitty:
		return tea.Batch(tea.Raw(picture.KittyClear), clear)
	case picture.Sixel, picture.ITerm2:
		return clear
	}
	return nil
}
