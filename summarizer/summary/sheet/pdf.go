package sheet

import (
	"fmt"
	"strconv"

	"github.com/signintech/gopdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
)

// The page, in points of 1/72 inch.
const (
	margin = 56.0
	wide   = 595.28 - 2*margin // A4
	bottom = 841.89 - margin
)

// maxPages bounds the work: nobody prints more of one session.
const maxPages = 200

// paper is a document that is being written.
type paper struct {
	pdf   gopdf.GoPdf
	y     float64
	pages int
	err   error
}

// PDF writes an A4 document. Its fonts are those of the Go project, embedded:
// Latin with all accents, Greek, Cyrillic; of other scripts each sign is shown by
// a question mark, and d.Missing says so at the end.
func PDF(d Doc) ([]byte, error) {
	p, missing := &paper{}, false
	unknown := func(rune) rune { missing = true; return '?' }
	p.pdf.Start(gopdf.Config{PageSize: *gopdf.PageSizeA4})
	for name, ttf := range map[string][]byte{"text": goregular.TTF, "bold": gobold.TTF, "code": gomono.TTF} {
		if err := p.pdf.AddTTFFontDataWithOption(name, ttf, gopdf.TtfOption{OnGlyphNotFoundSubstitute: unknown}); err != nil {
			return nil, fmt.Errorf("write pdf: %w", err)
		}
	}
	p.pdf.SetInfo(gopdf.PdfInfo{Title: d.Title, Producer: "Aval"})
	p.page()
	p.write("bold", 17, 22, 0, d.Title)
	p.y += 6
	for _, f := range d.Facts {
		p.write("text", 10, 14, 0, f.Name+": "+f.Value)
	}
	for _, part := range d.Parts {
		p.y += 12
		p.keep(50) // no heading at the foot of a page
		p.write("bold", 12, 18, 0, part.Title)
		for _, l := range part.Lines {
			text := l.Text
			if l.Note != "" {
				text += "  [" + l.Note + "]"
			}
			p.write("text", 10.5, 15, 0, text)
			for _, c := range l.Code {
				p.write("code", 9, 13, 14, c)
			}
		}
	}
	p.y += 14
	p.write("text", 9, 13, 0, d.Foot)
	if missing {
		p.write("text", 9, 13, 0, d.Missing)
	}
	if p.err != nil {
		return nil, fmt.Errorf("write pdf: %w", p.err)
	}
	out, err := p.pdf.GetBytesPdfReturnErr()
	if err != nil {
		return nil, fmt.Errorf("write pdf: %w", err)
	}
	return out, nil
}

func (p *paper) page() {
	p.pdf.AddPage()
	p.pages++
	p.y = margin
	if p.err = p.pdf.SetFont("text", "", 9); p.err != nil {
		return
	}
	p.pdf.SetTextColor(96, 96, 96)
	p.pdf.SetXY(margin+wide-20, bottom+20)
	p.err = p.pdf.Text(strconv.Itoa(p.pages))
	p.pdf.SetTextColor(20, 24, 24)
}

// keep begins a new page where less than height is left of this one.
func (p *paper) keep(height float64) {
	if p.err == nil && p.y+height > bottom {
		if p.pages >= maxPages {
			p.err = fmt.Errorf("it has more than %d pages", maxPages)
			return
		}
		p.page()
	}
}

// write sets a text in lines, indented by in.
func (p *paper) write(font string, size, line, in float64, text string) {
	if p.err != nil || text == "" {
		return
	}
	if p.err = p.pdf.SetFont(font, "", size); p.err != nil {
		return
	}
	lines, err := p.pdf.SplitTextWithWordWrap(text, wide-in)
	if err != nil {
		p.err = err
		return
	}
	for _, l := range lines {
		if p.keep(line); p.err != nil {
			return
		}
		if p.err = p.pdf.SetFont(font, "", size); p.err != nil {
			return
		}
		p.y += line
		p.pdf.SetXY(margin+in, p.y)
		if p.err = p.pdf.Text(l); p.err != nil {
			return
		}
	}
}
