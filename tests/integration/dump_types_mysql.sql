-- Every type and object that siding-dump knows, as MySQL has them.
SET NAMES utf8mb4, sql_mode = '';
CREATE DATABASE types CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE types;
CREATE TABLE numbers (
  id BIGINT UNSIGNED NOT NULL, ti TINYINT(3) ZEROFILL, si SMALLINT, mi MEDIUMINT UNSIGNED, i INT, bo BOOL,
  de DECIMAL(65,30), d0 DECIMAL(10,0), f FLOAT, f2 FLOAT(7,3), d DOUBLE, d2 DOUBLE(12,4), bi BIT(10), b1 BIT(1), y YEAR,
  PRIMARY KEY (id));
INSERT INTO numbers VALUES
  (0, 7, -32768, 16777215, -2147483648, TRUE, 12345678901234567890123456789012345.123456789012345678901234567890, -1,
   0.1, 1.234, 0.1, 1.23456, b'1010000001', b'1', 2155),
  (1, 255, 0, 0, 0, FALSE, -0.000000000000000000000000000001, 0, 1.17549e-38, -9999.999, 1.7976931348623157e308, -0.0,
   b'0', b'0', 0),
  (18446744073709551615, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 16777217, NULL, 2.2250738585072014e-308, NULL, NULL,
   NULL, NULL),
  (2, 0, 1, 1, 1, 1, 0, 0, 3.4028234e38, 0.0005, 4.9406564584124654e-324, 1e7, b'1111111111', b'1', 1901),
  (3, 0, 1, 1, 1, 1, 0, 0, 1/3, 1/3, 1/3, 1/3, b'1', b'1', 1970);
CREATE TABLE strings (
  id INT NOT NULL PRIMARY KEY, c CHAR(10), vc VARCHAR(300), l VARCHAR(20) CHARACTER SET latin1,
  a VARCHAR(20) CHARACTER SET ascii, u3 VARCHAR(20) CHARACTER SET utf8mb3, u16 VARCHAR(20) CHARACTER SET utf16,
  u32 VARCHAR(20) CHARACTER SET utf32, uc VARCHAR(20) CHARACTER SET ucs2, sj VARCHAR(20) CHARACTER SET sjis,
  gb VARCHAR(20) CHARACTER SET gbk, b5 VARCHAR(20) CHARACTER SET big5, ko VARCHAR(20) CHARACTER SET koi8r,
  bn BINARY(6), vb VARBINARY(20), t TEXT, tt TINYTEXT CHARACTER SET latin1, lt LONGTEXT, bl BLOB, lb LONGBLOB,
  e ENUM('x', 'y', 'it''s', ''), s SET('a', 'b', 'c'), j JSON, ve VECTOR(3));
INSERT INTO strings VALUES
  (1, 'a ', 'it''s "q" \\ back', x'8180FFE9', 'ascii', 'é漢', 'é漢😀', '😀', 'é漢', '表ソ', '表', '功許', 'привет',
   x'0001', x'00FF0A0D1A275C22', 'line\nline;\n\r\t\0\Z;', x'8190', REPEAT('é😀', 30000), x'', REPEAT(x'00FF', 50000), 'y', 'a,c',
   '{"a": [1, "é\\"", null, 1e300, 0.1, -5]}', STRING_TO_VECTOR('[1,2.5,-3]')),
  (2, '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', NULL, NULL, '', '', '[]', NULL),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL),
  (4, 'NULL', '\\N', ');\n', '/* */', '--', ';', '`', '''', 'ﾃ\\', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'nonsense', 7,
   '"x"', NULL),
  (5, 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 7,
   CAST(CAST('2026-11-23 10:00:00' AS DATETIME) AS JSON), NULL);
CREATE TABLE times (
  id INT NOT NULL PRIMARY KEY, d DATE, t TIME(6), t0 TIME, dt DATETIME, d6 DATETIME(6), ts TIMESTAMP NULL,
  t3 TIMESTAMP(3) NULL, up TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6));
INSERT INTO times VALUES
  (1, '2026-11-23', '-838:59:59.000000', '838:59:59', '9999-12-31 23:59:59', '1000-01-01 00:00:00.000001',
   '1970-01-02 00:00:01', '2038-01-18 03:14:07.999', '2026-03-29 02:30:00.123456'),
  (2, '0000-00-00', '0', '0', '0000-00-00 00:00:00', '2020-00-15 00:00:00', '0000-00-00 00:00:00', NULL, NULL);
CREATE TABLE places (id INT NOT NULL PRIMARY KEY, g GEOMETRY, p POINT NOT NULL SRID 4326, l LINESTRING, po POLYGON,
  mp MULTIPOINT, gc GEOMETRYCOLLECTION, SPATIAL KEY (p));
INSERT INTO places VALUES (1, POINT(1, 2), ST_GeomFromText('POINT(3 4)', 4326), ST_LineFromText('LINESTRING(0 0,1 1)'),
  ST_PolyFromText('POLYGON((0 0,0 3,3 3,0 0))'), ST_MPointFromText('MULTIPOINT(1 1,2 2)'),
  ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))')),
  (2, NULL, ST_GeomFromText('POINT(0 0)', 4326), NULL, NULL, NULL, NULL);
CREATE TABLE `select` (`a``b` INT NOT NULL, `from` VARCHAR(5) DEFAULT 'é;' COMMENT 'it''s; "é"', `é ü` INT DEFAULT 9 INVISIBLE,
  v INT AS (`a``b` * 2) VIRTUAL, st INT AS (`a``b` * 3) STORED, x INT DEFAULT (1 + 2), PRIMARY KEY (`a``b` DESC),
  KEY k (`from`(3)), KEY functional ((`a``b` + 1)), CHECK (`a``b` > 0)) COMMENT 'gram''mar; é';
INSERT INTO `select` (`a``b`, `é ü`) VALUES (1, 5), (2, NULL), (3, 7);
CREATE TABLE `dots.and "quotes" é/` (id INT PRIMARY KEY, `a.b` INT); INSERT INTO `dots.and "quotes" é/` VALUES (1, 2);
CREATE TABLE `ends-schema` (id INT PRIMARY KEY); INSERT INTO `ends-schema` VALUES (1);
CREATE TABLE auto (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT, FULLTEXT KEY (t)) AUTO_INCREMENT = 77;
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO auto VALUES (0, 'zero'), (-5, 'minus'); SET sql_mode = '';
CREATE TABLE parent (id INT PRIMARY KEY, child INT);
CREATE TABLE child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES parent (id));
ALTER TABLE parent ADD CONSTRAINT cycle FOREIGN KEY (child) REFERENCES child (id);
SET foreign_key_checks = 0; INSERT INTO parent VALUES (1, 1), (2, 2); INSERT INTO child VALUES (1, 1), (2, 2);
SET foreign_key_checks = 1;
CREATE TABLE unchecked (id INT PRIMARY KEY, n INT, CHECK (n > 0) NOT ENFORCED); INSERT INTO unchecked VALUES (1, -1);
CREATE TABLE parts (id INT NOT NULL PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10),
  PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parts VALUES (1, 1), (11, 2);
CREATE TABLE mine (id INT PRIMARY KEY, t VARCHAR(9)) ENGINE = MyISAM; INSERT INTO mine VALUES (1, 'x');
CREATE TABLE twins (t VARCHAR(9)); INSERT INTO twins VALUES ('x'), ('x'), (NULL);
CREATE TABLE nothing (id INT);
CREATE VIEW above AS SELECT id AS `the id`, 'é;' AS t FROM numbers;
CREATE SQL SECURITY INVOKER VIEW a_first AS SELECT * FROM above WHERE `the id` < 5;
DELIMITER //
CREATE TRIGGER before_select BEFORE INSERT ON `select` FOR EACH ROW BEGIN
  -- a comment; with a semicolon
  SET NEW.x = NEW.x + 0; SET @said = "it's;
'' é \\";
END//
CREATE TRIGGER second_select BEFORE INSERT ON `select` FOR EACH ROW FOLLOWS before_select SET @two = 2//
CREATE PROCEDURE work(IN a INT, OUT b VARCHAR(9) CHARACTER SET latin1) COMMENT 'é' BEGIN
  DECLARE x INT DEFAULT 5; SET x = a; SELECT 'é;' INTO b;
END//
CREATE FUNCTION plus(x INT) RETURNS INT DETERMINISTIC BEGIN RETURN x + 1; END//
SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'//
CREATE PROCEDURE quoting() BEGIN SELECT "id", '\', 'a''b' FROM "numbers"; END//
SET sql_mode = '', time_zone = '+03:00'//
CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE COMMENT 'é' DO BEGIN SET @a = 1; SET @b = 2; END//
DELIMITER ;
