CREATE TABLE `damaged_checkpoints` (
	`run_id` text NOT NULL,
	`step` integer NOT NULL,
	`checkpoint_id` text NOT NULL,
	PRIMARY KEY(`run_id`, `step`),
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
ALTER TABLE `checkpoints` ADD `resume_only` integer DEFAULT false NOT NULL;