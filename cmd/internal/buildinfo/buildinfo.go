// Package buildinfo tells which build of Starling this is.
package buildinfo

import (
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker (-X) when a release is built.
var version, commit = "", ""

// Info names one build. The zero value of a field means that the build did not
// record it.
type Info struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// Get reads the build information that the linker and the Go tool wrote into the
// binary.
func Get() Info {
	info := Info{Version: version, Commit: commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" && commit == "" {
				info.Commit = s.Value
			}
		}
	}
	if info.Version == "" && ok && build.Main.Version != "" && build.Main.Version != "(devel)" {
		info.Version = build.Main.Version
	}
	if info.Version == "" {
		info.Version = "devel"
	}
	return info
}
