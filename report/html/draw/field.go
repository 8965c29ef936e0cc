package draw

import "math"

// A Field is the room of a curve on a strip: what is 0 is drawn at Base, what is Most at Top, which
// is above it.
type Field struct {
	Top, Base PX
	Most      float64
}

// At is the height at which a value is drawn.
func (f Field) At(v float64) PX { return f.Base - PX(v/f.Most)*(f.Base-f.Top) }

// Lines are what lies below the curves of a field: a line at each of some values, with its name.
func (f Field) Lines(values []float64, name func(float64) string) (out []Mark) {
	for _, v := range values {
		class := "grid"
		if v == 0 {
			class = "base"
		}
		out = append(out, Rule(class, 0, f.At(v), 100, f.At(v)), Label("tick", "", PX(0), f.At(v)-3, name(v)))
	}
	return out
}

// StepsTo are three or four values from 0 on, in steps of 1, 2 or 5.
func StepsTo(most float64) (list []float64) {
	step := 1.0
	for i := 0; most/step > 4; i++ {
		step = []float64{1, 2, 5}[(i+1)%3] * math.Pow10((i+1)/3)
	}
	for v := 0.0; v <= most; v += step {
		list = append(list, v)
	}
	return list
}
