// SPDX-License-Identifier: BSD-3-Clause
// Dates of HTTP, written as IMF-fixdate and read in the three forms of RFC 9110 5.6.7:
//   Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate
//   Sunday, 06-Nov-94 08:49:37 GMT    RFC 850, obsolete
//   Sun Nov  6 08:49:37 1994          asctime, obsolete
// The day's name is not checked: it carries nothing the date does not. Called by http_answer.c and
// http.c. Days are counted in the proleptic Gregorian calendar with the year beginning in March,
// so that the leap day is a year's last.
#include "service/http_date.h"

#include <string.h>

#include "base/bits.h"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char days[] = "ThuFriSatSunMonTueWed"; // 1 January 1970 was a Thursday

struct civil {
	uint32_t year, month, day; // month 1..12, day 1..31
	uint32_t hour, minute, second;
};

#define DAYS_400_YEARS 146097
#define DAYS_TO_1970 719468 // from 1 March of the year 0

static void civil_from_days(uint64_t unix_days, struct civil *c)
{
	uint64_t z = unix_days + DAYS_TO_1970;
	uint64_t era = z / DAYS_400_YEARS;
	uint32_t day_of_era = (uint32_t)(z - era * DAYS_400_YEARS);
	uint32_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint32_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t month = (5 * day_of_year + 2) / 153; // from March

	c->day = day_of_year - (153 * month + 2) / 5 + 1;
	c->month = month < 10 ? month + 3 : month - 9;
	c->year = (uint32_t)(year_of_era + era * 400) + (c->month <= 2);
}

static uint64_t days_from_civil(const struct civil *c)
{
	uint32_t year = c->year - (c->month <= 2);
	uint32_t era = year / 400;
	uint32_t year_of_era = year - era * 400;
	uint32_t month = c->month > 2 ? c->month - 3 : c->month + 9;
	uint32_t day_of_year = (153 * month + 2) / 5 + c->day - 1;
	uint32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (uint64_t)era * DAYS_400_YEARS + day_of_era - DAYS_TO_1970;
}

static char *two_digits(char *out, uint32_t n)
{
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
	return out + 2;
}

void http_date_write(char out[HTTP_DATE_BYTES], uint64_t unix_s)
{
	uint64_t unix_days = unix_s / 86400;
	uint32_t second = (uint32_t)(unix_s % 86400);
	struct civil c;

	civil_from_days(unix_days, &c);
	memcpy(out, "Ddd, dd Mmm yyyy hh:mm:ss GMT", HTTP_DATE_BYTES);
	memcpy(out, days + 3 * (unix_days % 7), 3);
	two_digits(out + 5, c.day);
	memcpy(out + 8, months + 3 * (c.month - 1), 3);
	two_digits(two_digits(out + 12, c.year / 100 % 100), c.year % 100);
	two_digits(out + 17, second / 3600);
	two_digits(out + 20, second / 60 % 60);
	two_digits(out + 23, second % 60);
}

// Matches text against a pattern: D digit, B digit or blank, m letter of a month's name, other
// characters stand for themselves.
static bool pattern_fits(const char *pattern, const char *text, size_t len)
{
	if (strlen(pattern) != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';
		bool fits = text[i] == pattern[i];

		if (pattern[i] == 'D')
			fits = digit;
		else if (pattern[i] == 'B')
			fits = digit || text[i] == ' ';
		else if (pattern[i] == 'm')
			fits = true; // month_read judges
		if (!fits)
			return false;
	}
	return true;
}

static uint32_t number(const char *text, size_t digit_count)
{
	uint32_t n = 0;

	for (size_t i = 0; i < digit_count; i++)
		n = n * 10 + (uint32_t)(text[i] == ' ' ? 0 : text[i] - '0');
	return n;
}

// 1..12, or 0.
static uint32_t month_read(const char *text)
{
	for (uint32_t i = 0; i < 12; i++)
		if (memcmp(months + 3 * i, text, 3) == 0)
			return i + 1;
	return 0;
}

static void clock_read(const char *text, struct civil *c)
{
	c->hour = number(text, 2);
	c->minute = number(text + 3, 2);
	c->second = number(text + 6, 2);
}

static bool civil_read(const char *text, size_t len, struct civil *c)
{
	const char *comma = memchr(text, ',', len);

	if (!comma) { // asctime
		if (len < 4 || !pattern_fits(" mmm BD DD:DD:DD DDDD", text + 3, len - 3))
			return false;
		*c = (struct civil){
			number(text + 20, 4), month_read(text + 4), number(text + 8, 2), 0, 0, 0};
		clock_read(text + 11, c);
		return true;
	}
	const char *rest = comma + 1;
	size_t rest_len = len - (size_t)(rest - text);

	if (pattern_fits(" DD mmm DDDD DD:DD:DD GMT", rest, rest_len)) {
		*c = (struct civil){
			number(rest + 8, 4), month_read(rest + 4), number(rest + 1, 2), 0, 0, 0};
		clock_read(rest + 13, c);
		return true;
	}
	if (!pattern_fits(" DD-mmm-DD DD:DD:DD GMT", rest, rest_len))
		return false;
	uint32_t year = number(rest + 8, 2);

	// RFC 9110 5.6.7: two digits that would lie more than 50 years ahead mean the past. Without
	// a clock here: 70..99 are the last century, what servers wrote when this form was alive.
	*c = (struct civil){year + (year >= 70 ? 1900 : 2000),
			    month_read(rest + 4),
			    number(rest + 1, 2),
			    0,
			    0,
			    0};
	clock_read(rest + 11, c);
	return true;
}

bool http_date_read(const char *text, size_t len, uint64_t *unix_s)
{
	struct civil c;

	if (!civil_read(text, len, &c))
		return false;
	if (c.year < 1970 || c.month == 0 || c.day == 0 || c.day > 31)
		return false;
	if (c.hour > 23 || c.minute > 59 || c.second > 60)
		return false;
	*unix_s = days_from_civil(&c) * 86400 + c.hour * 3600 + c.minute * 60 + c.second;
	return true;
}
