//go:build !linux

package wake

func gateways() string { return "" }
