package conduct

var dnsCases []Case
