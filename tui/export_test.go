package tui

// AlertReady ends the time in which a dialog that opened by itself takes no
// keys.
var AlertReady = alertReady{}

// ZoomDue draws a picture past the renderer.
var ZoomDue = zoomDue{}
