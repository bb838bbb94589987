package assets

import "image/color"

// Palette is the colours of one variant. Text, Muted, Good, Warn and Accent are
// read on Ground, Surface and Control at a contrast of 4.5:1 at least; Edge and
// Focus are seen on Ground and Surface at 3:1 (WCAG 2.2, 1.4.3 and 1.4.11).
type Palette struct {
	Ground  color.NRGBA // of a window
	Surface color.NRGBA // of what is set apart on it
	Line    color.NRGBA // parts things, says nothing: no contrast is asked of it
	Text    color.NRGBA
	Muted   color.NRGBA // text that is read second
	Control color.NRGBA // of a button: the same for every answer
	Hover   color.NRGBA // of a button under the pointer
	Pressed color.NRGBA // of a button held down
	Idle    color.NRGBA // of a button that does not count yet
	Edge    color.NRGBA // around a button or a tick
	Accent  color.NRGBA // a tick, a link, the time left
	OnTick  color.NRGBA // on Accent
	Focus   color.NRGBA // around what the keyboard is on
	Good    color.NRGBA // verified
	Warn    color.NRGBA // not verified
}

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xFF}
}

// Light is the palette of the light variant.
var Light = Palette{
	Ground:  rgb(0xFAFBFB),
	Surface: rgb(0xF1F4F4),
	Line:    rgb(0xD5DCDD),
	Text:    rgb(0x17211F),
	Muted:   rgb(0x475557),
	Control: rgb(0xE3EAEA),
	Hover:   rgb(0xD3DEDE),
	Pressed: rgb(0xC2D0D1),
	Idle:    rgb(0xF1F4F4),
	Edge:    rgb(0x6C7D80),
	Accent:  rgb(0x10606B),
	OnTick:  rgb(0xFFFFFF),
	Focus:   rgb(0x0B5EA8),
	Good:    rgb(0x1B6236),
	Warn:    rgb(0x7D4A00),
}

// Dark is the palette of the dark variant.
var Dark = Palette{
	Ground:  rgb(0x171C1E),
	Surface: rgb(0x1F2628),
	Line:    rgb(0x364145),
	Text:    rgb(0xEEF2F2),
	Muted:   rgb(0xB7C3C5),
	Control: rgb(0x2D373A),
	Hover:   rgb(0x39464A),
	Pressed: rgb(0x46565B),
	Idle:    rgb(0x1F2628),
	Edge:    rgb(0x8A9A9D),
	Accent:  rgb(0x7CCBD3),
	OnTick:  rgb(0x10272A),
	Focus:   rgb(0x8CC4FF),
	Good:    rgb(0x8AD3A4),
	Warn:    rgb(0xEDBE74),
}
