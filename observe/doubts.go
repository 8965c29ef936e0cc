package observe

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"linger"
	"linger/audit"
	"linger/capture/packet"
	"linger/fault"
	"linger/finding"
	"linger/trace"
)

// doubt adds that a file was not read to its end, and why.
func doubt(r *audit.Result, file, reason string) {
	r.Caveats = append(r.Caveats, finding.Caveat{
		Code: audit.CaveatFile, Subject: finding.Subject{Kind: "file", Name: file}, Figures: finding.Figures{finding.Word("reason", reason)},
	})
}

// summarize adds what there is to say of capture files. The error is that nothing in them can be
// read.
func (in Reading) summarize(r *audit.Result, sum *packet.Summary) error {
	caveat := func(code string, n int64, name string, figures ...finding.Figure) {
		r.Caveats = append(r.Caveats, finding.Caveat{Code: code, Figures: append(finding.Figures{finding.Number(name, float64(n), "")}, figures...)})
	}
	for i, f := range sum.Files {
		name := filepath.Base(f.Name)
		if len(in.Redact) > 0 {
			name = fmt.Sprintf("file %d", i+1)
		}
		r.Files = append(r.Files, name)
		if f.Problem != nil && !errors.Is(f.Problem, fault.ErrInterrupted) {
			caveat(audit.CaveatFile, f.Frames, "frames", finding.Word("reason", f.Problem.Error()))
			r.Caveats[len(r.Caveats)-1].Subject = finding.Subject{Kind: "file", Name: name}
		}
	}
	links := int64(0)
	for link, n := range sum.UnknownLinks {
		links += n
		caveat(audit.CaveatLink, n, "frames", finding.Word("link", fmt.Sprint(link)))
	}
	if sum.Cut > 0 {
		figures := finding.Figures{finding.Number("bytes", float64(sum.CutAt), "bytes")}
		if sum.CutQUIC > 0 {
			figures = append(figures, finding.Number("sealed", float64(sum.CutQUIC), "packets"))
		}
		caveat(audit.CaveatCut, sum.Cut, "frames", figures...)
	}
	for _, one := range []struct {
		code string
		n    int64
		name string
	}{
		{audit.CaveatDropped, sum.Dropped.Or(0), "frames"},
		{audit.CaveatClock, sum.Jumps, "times"},
		{audit.CaveatBroken, sum.Malformed + sum.Incomplete, "frames"},
		{audit.CaveatJoined, sum.Joined, "frames"},
		{audit.CaveatEvicted, sum.Evicted, "connections"},
		{audit.CaveatNoKeys, sum.Keys[trace.NoKeys], "connections"},
		{audit.CaveatSomeKeys, sum.Keys[trace.SomeKeys], "connections"},
		{audit.CaveatWrongKeys, sum.Keys[trace.WrongKeys], "connections"},
	} {
		if one.n > 0 {
			caveat(one.code, one.n, one.name)
		}
	}
	if len(sum.Files) > 1 && sum.Again > 0 {
		caveat(audit.CaveatPlaces, sum.Again, "connections")
	}
	r.Recording = linger.Known(audit.Recording{
		Frames: sum.Frames, Bytes: sum.Bytes, Cut: sum.Cut, Dropped: sum.Dropped, Duplicates: sum.Duplicates, NotIP: sum.NotIP, Malformed: sum.Malformed,
		UnknownLinks: links, OtherUDP: sum.OtherUDP, Evicted: sum.Evicted, Missing: sum.Missing,
	})
	return unreadable(sum, links)
}

// unreadable is why nothing could be read of captures in which so many frames are of links that
// nobody knows here; nil is that something could.
func unreadable(sum *packet.Summary, links int64) error {
	if sum.Frames == 0 || links == sum.Frames {
		for _, f := range sum.Files {
			if f.Problem != nil && !errors.Is(f.Problem, fault.ErrInterrupted) {
				return fault.Unmet("%s: %w", f.Name, f.Problem)
			}
		}
	}
	if links > 0 && links == sum.Frames {
		kinds := slices.Sorted(maps.Keys(sum.UnknownLinks))
		return fault.Unmet("link type %s is not read, and there is no other; capture on another interface, or convert the file (editcap -T)", strings.Trim(fmt.Sprint(kinds), "[]"))
	}
	return nil
}
