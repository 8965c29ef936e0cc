package prober

import (
	"linger"
	"linger/finding"
	"linger/profile"
)

// An Absence is why a protocol is not known to be spoken. Where it is declined, it is known
// not to be.
type Absence struct {
	Declined bool
	Why      string
}

// NotOffered is the absence of what the server does not offer.
func NotOffered(why string) Absence { return Absence{true, "not offered: " + why} }

// NotKnown is that of what could not be found out.
func NotKnown(why string) Absence { return Absence{false, "not known: " + why} }

// Barred is the error of a connection on which the server allows no request.
type Barred string

func (e Barred) Error() string { return string(e) }

// EndedByError notes that a connection in use was ended by an error.
func (p *Prober) EndedByError(protocol linger.Protocol, count profile.Count) {
	p.Record(func(doc *profile.Profile) {
		doc.Caveats = append(doc.Caveats, finding.Caveat{Code: profile.EndedByError, Subject: finding.Subject{Kind: "protocol", Name: protocol.Title()}, Figures: finding.Figures{
			finding.Number("requests", float64(count.N), ""), {Name: "closing", Text: count.Closing.String()},
		}})
	})
}
