//go:build !linux

package workdir

func unmount(string) {}
