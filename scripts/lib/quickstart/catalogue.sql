-- SPDX-License-Identifier: Apache-2.0
-- A small library catalogue: records, the people behind them, keywords, links between records, the application's
-- own queue, and the list of deleted records that the index job reads. Every table has a primary key.
CREATE DATABASE catalogue CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE catalogue;

CREATE TABLE record (
	id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	name VARCHAR(190) NOT NULL,
	version VARCHAR(190) NOT NULL,
	section VARCHAR(60) NOT NULL,
	summary VARCHAR(500) NOT NULL,
	description TEXT NULL,
	homepage VARCHAR(500) NULL,
	size BIGINT UNSIGNED NULL,
	changed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
	KEY name (name), KEY changed_at (changed_at)
) ENGINE=InnoDB;

CREATE TABLE person (
	id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	name VARCHAR(190) COLLATE utf8mb4_bin NOT NULL,
	email VARCHAR(190) COLLATE utf8mb4_bin NOT NULL,
	UNIQUE KEY name_email (name, email)
) ENGINE=InnoDB;

CREATE TABLE record_person (
	record_id INT UNSIGNED NOT NULL,
	person_id INT UNSIGNED NOT NULL,
	role ENUM('maintainer','uploader') NOT NULL,
	PRIMARY KEY (record_id, person_id, role), KEY person_id (person_id),
	CONSTRAINT record_person_record FOREIGN KEY (record_id) REFERENCES record (id),
	CONSTRAINT record_person_person FOREIGN KEY (person_id) REFERENCES person (id)
) ENGINE=InnoDB;

CREATE TABLE keyword (
	id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	word VARCHAR(190) COLLATE utf8mb4_bin NOT NULL,
	UNIQUE KEY word (word)
) ENGINE=InnoDB;

CREATE TABLE record_keyword (
	record_id INT UNSIGNED NOT NULL,
	keyword_id INT UNSIGNED NOT NULL,
	PRIMARY KEY (record_id, keyword_id), KEY keyword_id (keyword_id),
	CONSTRAINT record_keyword_record FOREIGN KEY (record_id) REFERENCES record (id),
	CONSTRAINT record_keyword_keyword FOREIGN KEY (keyword_id) REFERENCES keyword (id)
) ENGINE=InnoDB;

CREATE TABLE link (
	record_id INT UNSIGNED NOT NULL,
	kind ENUM('depends','recommends','suggests') NOT NULL,
	target_id INT UNSIGNED NOT NULL,
	rule VARCHAR(190) NULL,
	PRIMARY KEY (record_id, kind, target_id), KEY target_id (target_id),
	CONSTRAINT link_record FOREIGN KEY (record_id) REFERENCES record (id),
	CONSTRAINT link_target FOREIGN KEY (target_id) REFERENCES record (id)
) ENGINE=InnoDB;

CREATE TABLE deleted_record (
	id INT UNSIGNED NOT NULL PRIMARY KEY,
	deleted_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	KEY deleted_at (deleted_at)
) ENGINE=InnoDB;

CREATE TABLE work_queue (
	id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	kind VARCHAR(30) NOT NULL,
	record_id INT UNSIGNED NOT NULL,
	created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB;

CREATE TRIGGER record_deleted AFTER DELETE ON record FOR EACH ROW
	INSERT INTO deleted_record (id) VALUES (OLD.id) ON DUPLICATE KEY UPDATE deleted_at = CURRENT_TIMESTAMP(3);

CREATE VIEW record_card AS
	SELECT r.id, r.name, r.version, r.summary, GROUP_CONCAT(p.name ORDER BY p.name SEPARATOR ', ') AS people
	FROM record r LEFT JOIN record_person rp ON rp.record_id = r.id LEFT JOIN person p ON p.id = rp.person_id
	GROUP BY r.id;
