package attach

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/adrg/xdg"

	"starling/node/api"
	"starling/node/api/filename"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
)

// Received returns the name and the bytes of a message's picture or file. The message is
// one that [api.Node.Message] returned. A picture has no name of its own. It is false if
// there is nothing.
func Received(m *api.Message) (name string, data []byte, ok bool) {
	switch {
	case m.Deleted:
		return "", nil, false
	case m.File != nil:
		return filename.Clean(m.File.Name.String()), m.File.Data, true
	case m.Picture != nil:
		return pictureName(m), m.Picture.Data, true
	}
	return "", nil, false
}

// pictureName is the name of a picture: when it was sent, and its kind by its bytes.
func pictureName(m *api.Message) string {
	ending := "bin"
	for _, e := range []string{"png", "jpg", "gif"} {
		if filename.Of("a."+e, m.Picture.Data) == "" {
			ending = e
		}
	}
	return fmt.Sprintf("picture %s.%s", m.Time.Local().Format("2006-01-02 15.04.05"), ending)
}

// Folder is where files are saved unless the person says otherwise: the system's folder
// for downloads, or their own.
func Folder() string {
	if dir := xdg.UserDirs.Download; dir != "" {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return "."
	}
	return dir
}

// maxTaken is how many names are tried.
const maxTaken = 1000

// Free returns a path in a folder that nothing has, under a name or one like it.
func Free(dir, name string) string {
	name = filename.Clean(name)
	ending := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ending)
	path := filepath.Join(dir, name)
	for i := 2; i < maxTaken; i++ {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			break
		}
		path = filepath.Join(dir, filename.Clean(fmt.Sprintf("%s (%d)%s", stem, i, ending)))
	}
	return path
}

// Target returns where a file is saved that the person wants at a path: there, or under
// its own name if that is a folder.
func Target(path, name string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return Free(path, name)
	}
	return path
}

var (
	errTaken = &api.Error{Code: api.CodeUsage, Message: catalogue.Mark("there is a file of this name already; nothing was overwritten"), Hint: catalogue.Mark("choose another name")}
	errWrite = &api.Error{Code: api.CodeUsage, Message: catalogue.Mark("the file cannot be written there"), Hint: catalogue.Mark("choose another folder")}
)

// Save writes a new file that nobody else can read and no system runs. One that is there
// already stays as it is, and so does the end of a link.
func Save(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return errTaken
	case err != nil:
		return errWrite
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		os.Remove(path) // a half of it is worse than none
		return errWrite
	}
	return nil
}

// Refusal says why a file is not opened, "" if it may be. The person can save it all the
// same, and do with it as they like.
func Refusal(name string, data []byte) string {
	switch filename.Of(name, data) {
	case filename.Program:
		return catalogue.Mark("This is a program. Your system would run it, with all your rights. Save it if you are sure of it.")
	case filename.Script:
		return catalogue.Mark("This is a script. Your system might run it, with all your rights. Save it if you are sure of it.")
	case filename.Shortcut:
		return catalogue.Mark("This file makes your system open or run something else. Save it if you are sure of it.")
	case filename.Page:
		return catalogue.Mark("This is a web page. A browser would run what is in it, and tell its author your address. Save it if you are sure of it.")
	case filename.Lie:
		return catalogue.Mark("The name says another kind than what is in the file. Save it if you are sure of it.")
	case filename.Unknown:
		return catalogue.Mark("Starling does not know what your system would do with a file of this kind. Save it if you are sure of it.")
	}
	return ""
}

// Shown is a path as it may be shown.
func Shown(path string) safetext.Text { return safetext.Line(path) }
