package web

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Site returns the site of a relay: that of a web server at a URL, or the files of a
// directory. Without either it is empty.
func Site(from string) (http.Handler, error) {
	if from == "" {
		return emptySite(), nil
	}
	if u, err := url.Parse(from); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if u.Host == "" {
			return nil, fmt.Errorf("site %q: it has no host", from)
		}
		return passOn(u), nil
	}
	info, err := os.Stat(from)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR // a pipe would not open before somebody writes
	}
	var root *os.Root
	if err == nil {
		root, err = os.OpenRoot(from)
	}
	if err != nil {
		return nil, fmt.Errorf("site %q: it is neither a directory nor a URL like http://127.0.0.1:8080: %w", from, err)
	}
	return named(files{root}), nil
}

// named names the server.
func named(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "Caddy")
		h.ServeHTTP(w, r)
	})
}

// emptySite has an empty answer to everything.
func emptySite() http.Handler {
	return named(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

// passOn passes requests on to another web server.
func passOn(to *url.URL) http.Handler {
	return named(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			Proxy: nil, MaxIdleConns: 16, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: 30 * time.Second,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
}

// files serves a directory as the file server of Caddy 2.6 does, whatever the method: nothing
// above it, no lists, index.html for a directory, and an empty answer where there is
// nothing. Dot files and links that lead out of it are nothing, too.
type files struct{ root *os.Root }

// longestPath is that of a file on Linux.
const longestPath = 4096

// ServeHTTP implements http.Handler.
func (s files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Cleaned before it is opened: no path leads out of the folder.
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" {
		name = "."
	}
	f, info, err := s.open(name)
	directory := err == nil && info.IsDir()
	if directory {
		f.Close()
		f, info, err = s.open(path.Join(name, "index.html"))
	}
	if err == nil && (!info.Mode().IsRegular() || !directory && strings.HasSuffix(r.URL.Path, "/")) {
		f.Close()
		err = fs.ErrNotExist
	}
	if err != nil {
		w.WriteHeader(status(err))
		return
	}
	defer f.Close()

	if directory && !strings.HasSuffix(r.URL.Path, "/") {
		http.Redirect(w, r, path.Base(r.URL.Path)+"/", http.StatusPermanentRedirect)
		return
	}
	etag := `"` + strconv.FormatInt(info.ModTime().Unix(), 36) + strconv.FormatInt(info.Size(), 36) + `"`
	w.Header().Set("Etag", etag)
	w.Header()["Content-Type"] = nil // it is not guessed
	if t := mime.TypeByExtension(path.Ext(info.Name())); t != "" {
		w.Header().Set("Content-Type", t)
	}
	http.ServeContent(&unranged{w, etag, info.ModTime()}, r, info.Name(), info.ModTime(), f.(io.ReadSeeker))
}

// unranged keeps two headers in the answer to a bad range, which newer versions of Go take out.
type unranged struct {
	http.ResponseWriter
	etag     string
	modified time.Time
}

// WriteHeader implements http.ResponseWriter.
func (u *unranged) WriteHeader(code int) {
	if code == http.StatusRequestedRangeNotSatisfiable {
		u.Header().Set("Etag", u.etag)
		u.Header().Set("Last-Modified", u.modified.UTC().Format(http.TimeFormat))
	}
	u.ResponseWriter.WriteHeader(code)
}

// open opens a file, unless a part of its name begins with a dot.
func (s files) open(name string) (fs.File, fs.FileInfo, error) {
	if len(s.root.Name())+1+len(name) >= longestPath {
		return nil, nil, syscall.ENAMETOOLONG
	}
	for part := range strings.SplitSeq(name, "/") {
		if part != "." && strings.HasPrefix(part, ".") {
			return nil, nil, fs.ErrNotExist
		}
	}

	info, err := s.root.Stat(name)
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		err = fs.ErrNotExist // a pipe would keep the visitor waiting
	}
	if err != nil {
		return nil, nil, err
	}

	f, err := s.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err = f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// status is the answer to an error. One of os.Root, that the name leads out of the folder, has no
// error of the system's in it.
func status(err error) int {
	var system syscall.Errno
	switch {
	case errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), !errors.As(err, &system):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}
