package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"starling/node"
	"starling/node/api"
	"starling/node/config"
)

// Bytes that should be free, and that must be: a database that cannot write
// its log stops.
const (
	freeWanted = 256 << 20
	freeNeeded = 32 << 20
)

// clockSlack is how far clocks may differ before anybody minds.
const clockSlack = 5 * time.Minute

func checkProfile(_ context.Context, p *Patient) Finding {
	place := p.Profile.Dir
	if err := p.Profile.Look(); err != nil {
		f := fail("the profile's folder cannot be used: %v", reason(err))
		f.Remedy = "mend that, or choose another folder with --profile"
		return f.at(place)
	}
	if !p.Profile.Exists() {
		return fail("there is no profile").at(place)
	}

	for _, name := range []string{p.Profile.KeyFile(), p.Profile.Database()} {
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			f := fail("a part of the profile is missing: %s", filepath.Base(name))
			f.Remedy = "restore the profile from a backup: starling restore FILE"
			return f.at(place)
		case err != nil:
			return fail("the profile cannot be looked at: %v", reason(err)).at(place)
		case !info.Mode().IsRegular() || info.Size() == 0:
			f := fail("a part of the profile is damaged: %s", filepath.Base(name))
			f.Remedy = "restore the profile from a backup: starling restore FILE"
			return f.at(place)
		}
	}
	return ok("the profile is there").at(place)
}

// checkOpens opens the profile as a node would. A running node has done so.
func checkOpens(_ context.Context, p *Patient) Finding {
	switch {
	case p.Node != nil:
		return ok("the node that runs has opened it")
	case !p.Profile.Exists():
		return skip("there is no profile")
	case p.Profile.Held():
		return skip("another process works on it")
	case p.Passphrase == "":
		return skip("no passphrase was given to try it with")
	}

	err := node.Probe(p.Profile, p.Passphrase)
	var why *api.Error
	switch {
	case err == nil:
		return ok("the profile opens, and what is in it is whole")
	case !errors.As(err, &why):
		return fail("it does not open: %v", err).at(p.Profile.Dir)
	case why.Code == api.CodeInUse:
		return skip("another process works on it")
	}
	f := fail("it does not open: %s", strings.ReplaceAll(why.Message, p.Profile.Dir, "the folder"))
	f.Remedy = why.Hint
	return f.at(p.Profile.Dir)
}

func checkPermissions(_ context.Context, p *Patient) Finding {
	return private(p.Profile.Dir, "profile.")
}

// private wants a folder and the files of ours in it readable for their owner
// alone.
func private(dir, prefix string) Finding {
	if runtime.GOOS == "windows" {
		return skip("Windows keeps permissions in another way")
	}

	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return skip("the folder is not there yet").at(dir)
	}
	if err != nil {
		return fail("the folder cannot be looked at: %v", reason(err)).at(dir)
	}
	if !info.IsDir() {
		return fail("where the folder should be is something else").at(dir)
	}

	var open []string
	if info.Mode().Perm()&0o077 != 0 {
		open = append(open, dir)
	}

	entries, err := os.ReadDir(dir)
	if err != nil {
		return fail("the folder cannot be read: %v", reason(err)).at(dir)
	}

	// Other files in the folder are not ours to judge.
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) && e.Name() != "control.sock" {
			continue
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			open = append(open, filepath.Join(dir, e.Name()))
		}
	}

	if len(open) > 0 {
		return fail("other users of this machine may open %s of it", count(len(open), "part")).at(open...)
	}
	return ok("only you can open it").at(dir)
}

func checkPassphraseFile(_ context.Context, p *Patient) Finding {
	if p.PassphraseFile == "" {
		return skip("no passphrase file was given")
	}
	info, err := os.Stat(p.PassphraseFile)
	switch {
	case err != nil:
		f := fail("the passphrase file cannot be read: %v", reason(err))
		f.Remedy = "check the path given to --passphrase-file"
		return f.at(p.PassphraseFile)
	case !info.Mode().IsRegular() && info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0:
		f := fail("the passphrase file is not a file")
		f.Remedy = "check the path given to --passphrase-file"
		return f.at(p.PassphraseFile)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fail("other users of this machine may read the passphrase file").at(p.PassphraseFile)
	}
	return ok("only you can read the passphrase file").at(p.PassphraseFile)
}

func checkDisk(_ context.Context, p *Patient) Finding {
	dir := p.Profile.Dir
	if p.Relay != nil {
		dir = p.Relay.StateDir
	}
	place := existing(dir)
	free, err := p.System.Free(place)
	switch {
	case err != nil:
		return skip("the free space is not known: %v", reason(err)).at(place)
	case free < freeNeeded:
		return fail("%d MiB are free; less than %d MiB is too little to go on", free>>20, freeNeeded>>20).at(place)
	case free < freeWanted:
		return warn("%d MiB are free; %d MiB would be safe", free>>20, freeWanted>>20).at(place)
	}
	return ok("%.1f GiB are free", float64(free)/(1<<30)).at(place)
}

// existing is the nearest folder above that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// ahead returns by how much the newest file of a folder is newer than now: a
// clock that was set back, or is wrong since the start of the machine.
func ahead(dir string, now time.Time) time.Duration {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	var newest time.Time
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest.Sub(now)
}

// reason leaves the path out of an error of the file system.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// socketOpen reports whether others may connect to the control socket.
func socketOpen(p config.Profile) bool {
	info, err := os.Lstat(p.Socket())
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}

func socketThere(p config.Profile) bool {
	_, err := os.Lstat(p.Socket())
	return err == nil
}
